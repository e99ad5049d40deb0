package sqlite

import (
	"bytes"
	"strings"
	"testing"

	"rhumb/types"
)

// What the file gives for events is either written out as sound canonical JSON or refused.
func FuzzEvents(f *testing.F) {
	l := types.Lineage{Total: 3, First: 1_700_000_000_000_000, Events: []types.EventRef{{Object: 9, Part: 3, Off: 10211, Time: 1_700_000_000_000_000, As: "f"},
		{Object: 10, Off: 1, Time: 5, ID: `q"uo\te`}, {Object: 9, Time: 1 << 62, ID: "ü", As: "s"}}}
	f.Add("1700000000000000" + string(appendEvents(nil, &l)))
	f.Add("0[]")
	f.Add(`-5[[1,2,3,4,"\u0041",null]]`)
	topics := map[uint32]string{9: "sshd", 10: `a "topic"`}
	f.Fuzz(func(t *testing.T, stored string) {
		out, ok := formatEvents(nil, stored, topics)
		if !ok {
			return
		}
		canonical, err := types.CanonicalJSON(nil, out)
		// Strings are copied as they stand, and another program may have spelled them otherwise.
		if err != nil || !bytes.Equal(canonical, out) && !strings.Contains(stored, `\`) {
			t.Errorf("%q became %q, canonical %q, %v", stored, out, canonical, err)
		}
	})
}

// What the file gives for an array is decoded to one that is written as it was read, or refused.
func FuzzJSONArray(f *testing.F) {
	for _, s := range []string{"[]", "[null]", `["a","\u00fc"]`, "[1,-2]", `["NaN",1.5,-0]`, `["AAE="]`, `["2018-03-24T17:15:20.865716Z"]`, `["192.0.2.0/24"]`, "[true]", "{}", "[[1]]"} {
		for k := range uint8(types.Array) {
			f.Add(k, s)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, s string) {
		elem := types.Kind(kind % uint8(types.Array))
		if elem == types.JSONB || elem == types.Unknown {
			return
		}
		b, ok := parseJSONArray(elem, s)
		if !ok {
			return
		}
		v := &types.Vec{Type: types.ArrayOf(elem)}
		v.AppendStr(b)
		again, ok := parseJSONArray(elem, string(types.AppendJSON(nil, v, 0)))
		if !ok || !bytes.Equal(again, b) {
			t.Errorf("%s of %q: %q, and read again %q, %v", v.Type, s, b, again, ok)
		}
	})
}
