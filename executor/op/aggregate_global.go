package op

import (
	"slices"

	"rhumb/executor/state"
	"rhumb/types"
)

// GlobalAggregate groups by key for ever. In a continuous query it emits the keys that changed, when the step says Flush; in a search it emits
// all of them at the end of the input.
type GlobalAggregate struct {
	*groups
	search bool
	empty  bool // of a search: a grouping without keys has a row even of no input
	dirty  state.Dirty
	out    resultBatch
}

// NewGlobalAggregate makes the operator of one shard. emptyRow asks a search for the one row of a grouping without keys over no input.
func NewGlobalAggregate(spec *GroupSpec, search, emptyRow bool) *GlobalAggregate {
	return &GlobalAggregate{groups: newGroups(spec), search: search, empty: emptyRow}
}

// Process implements Operator.
func (a *GlobalAggregate) Process(x *Ctx, b *types.Batch, _ Emit) {
	ids := a.add(x, b, x.rows(b))
	if !a.search {
		for _, id := range ids {
			a.dirty.Mark(id)
		}
	}
}

// Advance implements Operator.
func (a *GlobalAggregate) Advance(x *Ctx, p Progress, emit Emit) {
	switch {
	case a.search && p.Final:
		if a.n == 0 && a.empty {
			a.n = 1
			for _, acc := range a.accs {
				acc.Resize(1)
			}
		}
		a.results(x, window{}, 0, a.n, &a.out, emit)
	case !a.search && (p.Flush || p.Final):
		a.flush(x, emit)
	}
}

// flush emits the changed groups, in the order of their ids, runs of neighbours together.
func (a *GlobalAggregate) flush(x *Ctx, emit Emit) {
	ids := slices.Sorted(slices.Values(a.dirty.IDs()))
	for i := 0; i < len(ids); {
		j := i + 1
		for j < len(ids) && ids[j] == ids[j-1]+1 {
			j++
		}
		a.results(x, window{}, int(ids[i]), int(ids[j-1])+1, &a.out, emit)
		i = j
	}
	a.dirty.Clear()
}

// Pending reports whether there are changes that a flush would emit.
func (a *GlobalAggregate) Pending() bool { return len(a.dirty.IDs()) > 0 }

// Due implements Operator.
func (a *GlobalAggregate) Due() int64 { return Never }

// Save implements Operator.
func (a *GlobalAggregate) Save(e *types.Encoder) {
	a.save(e)
	types.EncodeSlice(e, a.dirty.IDs())
}

// Load implements Operator.
func (a *GlobalAggregate) Load(d *types.Decoder) {
	a.load(d)
	for _, id := range types.DecodeSlice[uint32](d) {
		if int(id) >= a.n {
			d.Err = types.Errorf(types.CodeDataCorrupted, "corrupted state: changed group %d of %d", id, a.n)
			return
		}
		a.dirty.Mark(id)
	}
}

// Bytes implements Operator.
func (a *GlobalAggregate) Bytes() int { return a.bytes() + a.dirty.Bytes() }
