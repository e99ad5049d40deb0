package expr

import (
	"strings"
	"time"

	"rhumb/types"
)

// loadZone finds a zone by name, or by an offset like +02, -05:30.
func loadZone(name string) (*time.Location, *types.Error) {
	if offset, ok := zoneOffset(name); ok {
		return time.FixedZone("", offset), nil
	}
	switch name {
	case "", "Local":
	case "z", "Z", "utc", "gmt", "GMT", "zulu":
		return time.UTC, nil
	default:
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, types.Errorf(types.CodeInvalidOption, "time zone \"%s\" not recognized", name).
		WithHint("Zones have names like Europe/Vienna, or are UTC.")
}

// zoneOffset reads "+02:00" as POSIX does in AT TIME ZONE: positive is west of Greenwich.
func zoneOffset(s string) (seconds int, ok bool) {
	unsigned := strings.TrimLeft(s, "+-")
	if len(s)-len(unsigned) > 1 {
		return 0, false
	}
	parts := [3]int{}
	n, digits := 0, 0
	for _, c := range []byte(unsigned) {
		switch {
		case c >= '0' && c <= '9' && digits < 2:
			parts[n] = parts[n]*10 + int(c-'0')
			digits++
		case c == ':' && digits > 0 && n < 2:
			n, digits = n+1, 0
		default:
			return 0, false
		}
	}
	seconds = parts[0]*3600 + parts[1]*60 + parts[2]
	if s == "" || s[0] != '-' {
		seconds = -seconds
	}
	return seconds, digits > 0
}

// zoneCache finds the zone of the rows before again.
type zoneCache struct {
	name string
	zone *time.Location
}

func (c *zoneCache) get(name []byte) (*time.Location, *types.Error) {
	if c.zone == nil || c.name != string(name) {
		zone, err := loadZone(string(name))
		if err != nil {
			return nil, err
		}
		c.name, c.zone = string(name), zone
	}
	return c.zone, nil
}

// zoneSig is an overload whose argument 0 is a zone. A constant one is found when the call is bound.
func zoneSig(ret types.Type, row func(f *frame, i int32, zone *time.Location), args ...types.Type) Sig {
	return zoneSigAt(0, ret, row, args...)
}

// zoneSigAt is zoneSig with the zone as argument at.
func zoneSigAt(at int, ret types.Type, row func(f *frame, i int32, zone *time.Location), args ...types.Type) Sig {
	varying := func(f *frame, sel []int32) {
		var zones zoneCache
		for _, i := range sel {
			zone, err := zones.get(f.str(at, i))
			if err != nil {
				f.fail(i, err)
				continue
			}
			row(f, i, zone)
		}
	}
	return sig(ret, varying, args...).preparing(func(args []Expr) (kernel, *types.Error) {
		v, ok := constantArg(args, at)
		if !ok {
			return nil, nil
		}
		zone, err := loadZone(v.S)
		if err != nil {
			return nil, err
		}
		return each(func(f *frame, i int32) { row(f, i, zone) }), nil
	})
}

func atZone(toLocal bool) func(f *frame, i int32, zone *time.Location) {
	return func(f *frame, i int32, zone *time.Location) {
		x := f.int(1, i)
		switch {
		case infinite(x):
		case toLocal:
			x = types.ToZone(x, zone)
		default:
			x = types.FromZone(x, zone)
		}
		f.setInt(i, x)
	}
}

func atOffset(toLocal bool) kernel {
	return each(func(f *frame, i int32) {
		v, x := f.iv(0, i), f.int(1, i)
		if v.Months != 0 || v.Days != 0 {
			f.fail(i, types.Errorf(types.CodeInvalidOption, "interval time zone must not include months or days"))
			return
		}
		if d := v.Micros / types.MicrosPerSecond * types.MicrosPerSecond; !infinite(x) {
			if !toLocal {
				d = -d
			}
			x += d
		}
		f.setInt(i, x)
	})
}
