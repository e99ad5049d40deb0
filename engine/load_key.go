package engine

import (
	"slices"

	"rhumb/catalog"
	"rhumb/executor/decode"
	"rhumb/types"
)

// loadKey finds the keys of the records that are loaded into a stream WITH (key = 'column').
type loadKey struct {
	dec      decode.Decoder
	value    []*types.Vec
	counters *decode.Counters
	text     []byte
}

// newLoadKey returns nil for a stream without the option.
func newLoadKey(o *catalog.Object) (*loadKey, error) {
	name := o.Options["key"]
	if name == "" {
		return nil, nil
	}
	i := slices.IndexFunc(o.Columns, func(c catalog.Column) bool { return c.Name == name })
	if i < 0 || o.Columns[i].Expr != "" {
		return nil, types.Errorf(types.CodeInvalidOption, "the key %q of stream %q is not a column that its payload has", name, o.Name).
			WithHint("Name a column that is declared, not computed.")
	}
	col := o.Columns[i]
	dec, err := decode.New(o.Options["format"], []decode.Column{{Name: col.Name, Type: col.Type, Path: col.Path}}, decode.Options{})
	if err != nil {
		return nil, err
	}
	return &loadKey{dec: dec, value: []*types.Vec{{}}, counters: decode.NewCounters(1)}, nil
}

// of returns a record's key as text; nil if it has none. It is valid until the following call.
func (k *loadKey) of(record []byte) []byte {
	if k == nil {
		return nil
	}
	if rej := k.dec.Decode([][]byte{record}, k.value, nil, k.counters); len(rej) > 0 || k.value[0].Null(0) {
		return nil
	}
	k.text = types.AppendText(k.text[:0], k.value[0], 0, nil)
	return k.text
}
