package types

// Field is a column of a schema.
type Field struct {
	Name      string
	Qualifier string // the table or alias it comes from; "" if none
	Type      Type
	Entity    string // ip, domain, user, host, hash, url; "" = not an entity
	Hidden    bool   // a system column: absent from *
}

// Schema is the columns of a node, stream or result.
type Schema []Field

// Batch is some rows, column by column. Rows are physical rows 0..N-1; Sel, if not nil, names those that are alive, in
// ascending order. A batch that is handed to an operator is borrowed for the call.
type Batch struct {
	N      int
	Sel    []int32
	Cols   []*Vec
	Origin Origin
	// Hash is, after an exchange, the hash of each row's keys, by which the rows were given to shards.
	Hash []uint64
}

// Origin says of what simple events each row of a batch was made. Rows of a scan have coordinates (Part, Off, Time);
// rows of an aggregate have Lists besides. Part, Off, Sub and Time are also the canonical order of rows, which does not depend on how the
// input was cut into steps: by Time, Part, Off, Sub.
type Origin struct {
	Object uint32  // number of the stream that the coordinates are of
	Part   []int32 // partition
	Off    []int64 // offset in the partition
	Sub    []int32 // which of the rows that one record became (unnest); nil = all 0
	Time   []int64 // event time, microseconds
	ID     *Vec    // the declared EVENT ID as text; nil = none
	Lists  *Vec    // LStr of encoded Lineage (lineage.go); nil = each row is its record
}

// Rows is the number of live rows.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Selection returns the live rows; for a batch without Sel it is buf filled with 0..N-1.
func (b *Batch) Selection(buf []int32) []int32 {
	if b.Sel != nil {
		return b.Sel
	}
	buf = buf[:0]
	for i := range b.N {
		buf = append(buf, int32(i))
	}
	return buf
}

// SubOf is the row's number among those that its record became.
func (o *Origin) SubOf(i int32) int32 {
	if o.Sub == nil {
		return 0
	}
	return o.Sub[i]
}
