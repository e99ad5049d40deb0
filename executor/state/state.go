// Package state keeps what operators remember between rows: keyed tables, lineage, dirty sets, memory accounts.
//
// What holds for all of it: state is pointer-free memory by dense id, so that the collector has nothing to scan; an instance belongs
// to one shard of one operator and is used by one goroutine at a time, so there are no locks; no Go maps, so that nothing depends on
// their order; and Bytes is a function of the contents alone, not of how the memory came to be, because whether a query is
// over its limit must come out the same when its steps are replayed from a checkpoint.
package state

import "rhumb/types"

// corrupted makes an error of a snapshot that does not decode.
func corrupted(what string) *types.Error {
	return types.Errorf(types.CodeDataCorrupted, "corrupted state: %s", what)
}

// roomy reports whether memory for have elements is out of proportion to the used that were needed: state that is emptied gives it back.
func roomy(have, used int) bool { return have > 1024 && have > 4*used }
