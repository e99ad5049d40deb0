package journal

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"

	"rhumb/types"
)

// Every file begins with a header:
//
//	magic 8 | format version 2 | byte order mark 2 | length of the payload 4 | payload | xxh3-64 of all before 8
//
// All words are little-endian, as the state that checkpoints hold is copied from memory; the mark shows a file from a machine with the
// other order.
const (
	journalMagic    = "rhumbjnl"
	checkpointMagic = "rhumbckp"
	formatVersion   = 1
	byteOrderMark   = 0x0102
	headerFixed     = 16
	sumSize         = 8
)

// appendHeader appends the header of a file.
func appendHeader(dst []byte, magic string, payload []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, formatVersion)
	dst = binary.NativeEndian.AppendUint16(dst, byteOrderMark)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = append(dst, payload...)
	return binary.LittleEndian.AppendUint64(dst, xxh3.Hash(dst[start:]))
}

// headerSize is the size of the header that begins with these headerFixed bytes.
func headerSize(fixed []byte) int64 {
	return headerFixed + int64(binary.LittleEndian.Uint32(fixed[12:])) + sumSize
}

// parseHeader reads the header at the start of b, which must be there whole.
func parseHeader(name, magic string, b []byte) (payload []byte, size int, err *types.Error) {
	if len(b) < headerFixed || string(b[:8]) != magic {
		return nil, 0, damaged(name, 0, "it does not begin as its name says")
	}
	n := headerSize(b)
	if n > int64(len(b)) {
		return nil, 0, damaged(name, 0, "the header is longer than the file")
	}
	if xxh3.Hash(b[:n-sumSize]) != binary.LittleEndian.Uint64(b[n-sumSize:]) {
		return nil, 0, damaged(name, 0, "the header's checksum is wrong")
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != formatVersion {
		return nil, 0, types.Errorf(types.CodeNotSupported, "%s has format %d, this version of Rhumb reads format %d", name, v, formatVersion).
			WithHint("start the version of Rhumb that wrote the data directory")
	}
	if binary.NativeEndian.Uint16(b[10:]) != byteOrderMark {
		return nil, 0, types.Errorf(types.CodeNotSupported, "%s was written on a machine with another byte order", name)
	}
	return b[headerFixed : n-sumSize], int(n), nil
}
