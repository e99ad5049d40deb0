package sqlite

import (
	"bytes"
	"cmp"
	"slices"

	"rhumb/types"
)

// entityGroup is the columns whose values are entities of one kind.
type entityGroup struct {
	key     string // the kind as a JSON object's key: `"ip": [`
	columns []int
}

// entityGroups are in the order of canonical JSON: by the length of the kind, then by its bytes.
func entityGroups(columns []column) []entityGroup {
	byKind := map[string][]int{}
	for i, c := range columns {
		if c.entity != "" {
			byKind[c.entity] = append(byKind[c.entity], i)
		}
	}
	kinds := sortedKeys(byKind)
	slices.SortStableFunc(kinds, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	var groups []entityGroup
	for _, k := range kinds {
		groups = append(groups, entityGroup{key: string(types.AppendJSONString(nil, []byte(k))) + ": [", columns: byKind[k]})
	}
	return groups
}

// entityScratch makes the JSON of _entities, and keeps its memory from row to row.
type entityScratch struct {
	raw    []byte
	json   []byte   // the values of the group at hand as JSON strings, one behind the other
	values [][2]int // where in json each lies
}

// append appends {"ip": ["203.0.113.9"], "user": ["root"]}: each value once, in the order of columns and elements; a kind without values is
// not there.
func (s *entityScratch) append(dst []byte, groups []entityGroup, cols []*types.Vec, i int) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for _, g := range groups {
		s.json, s.values = s.json[:0], s.values[:0]
		for _, c := range g.columns {
			s.collect(cols[c], i)
		}
		if len(s.values) == 0 {
			continue
		}
		if len(dst) > begin {
			dst = append(dst, ", "...)
		}
		dst = append(dst, g.key...)
		for k, v := range s.values {
			if k > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(dst, s.json[v[0]:v[1]]...)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// collect adds the value of one column, or the elements of an array.
func (s *entityScratch) collect(v *types.Vec, i int) {
	switch {
	case v.Null(i):
	case v.Type.Kind == types.Array:
		for _, e := range types.DecodeArray(v.Type.Elem, v.Str(i)) {
			if !e.Null {
				s.add(append(s.raw[:0], types.FormatValue(e, nil)...))
			}
		}
	default:
		s.add(types.AppendText(s.raw[:0], v, i, nil))
	}
}

// add adds a value unless it is there. Raw becomes the scratch space.
func (s *entityScratch) add(raw []byte) {
	s.raw = raw
	begin := len(s.json)
	s.json = types.AppendJSONString(s.json, raw)
	for _, v := range s.values {
		if bytes.Equal(s.json[v[0]:v[1]], s.json[begin:]) {
			s.json = s.json[:begin]
			return
		}
	}
	s.values = append(s.values, [2]int{begin, len(s.json)})
}
