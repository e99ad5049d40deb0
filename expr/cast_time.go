package expr

import (
	"time"

	"rhumb/types"
)

// castTime converts between dates, times and timestamps.
func castTime(from, to types.Kind) kernel {
	// Casts of a timestamptz go by the local time of the session's zone.
	local := func(f *frame, i int32) int64 {
		x := f.int(0, i)
		if from == types.Timestamptz && !infinite(x) {
			x = types.ToZone(x, f.ctx.Zone)
		}
		return x
	}
	switch to {
	case types.Timestamp, types.Timestamptz:
		return each(func(f *frame, i int32) {
			x := local(f, i)
			if from == types.Date {
				if x > maxTimestamp/types.MicrosPerDay {
					f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "date out of range for timestamp"))
					return
				}
				x *= types.MicrosPerDay
			}
			if to == types.Timestamptz && !infinite(x) {
				x = types.FromZone(x, f.ctx.Zone)
			}
			f.setInt(i, x)
		})
	case types.Date:
		return each(func(f *frame, i int32) {
			x := local(f, i)
			if infinite(x) {
				f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "infinite dates are not supported"))
				return
			}
			day, _ := types.SplitMicros(x)
			f.setInt(i, day)
		})
	case types.Time:
		return each(func(f *frame, i int32) {
			x := int64(0)
			if from == types.IntervalKind {
				x = f.iv(0, i).Micros
			} else if x = local(f, i); infinite(x) {
				f.setNull(i)
				return
			}
			_, ofDay := types.SplitMicros(x)
			f.setInt(i, ofDay)
		})
	default: // interval from time
		return each(func(f *frame, i int32) { f.setInterval(i, types.Interval{Micros: f.int(0, i)}) })
	}
}

// The last and the first finite timestamp, and those beyond them.
const (
	endOfTime    = 1<<63 - 1
	startOfTime  = -1 << 63
	maxTimestamp = endOfTime - 1
	minTimestamp = -210866803200000000 // 4714-11-24 BC
)

func infinite(x int64) bool { return x == endOfTime || x == startOfTime }

// isUTC reports whether a session's zone is UTC.
func isUTC(zone *time.Location) bool { return zone == nil || zone == time.UTC }
