package expr

import (
	"math"
	"time"

	"rhumb/types"
)

func timeFuncs() []*Func {
	now := func(name, doc string, ret types.Type, of func(f *frame) int64) *Func {
		return &Func{Name: name, Doc: doc, Sigs: []Sig{sig(ret, each(func(f *frame, i int32) { f.setInt(i, of(f)) })).volatile()}}
	}
	add, sub := addKernel(1), addKernel(-1)
	plus := &Func{Name: "+", Kind: Operator, Sigs: []Sig{
		sig(tTimestamp, add, tTimestamp, tInterval), sig(tTimestamptz, add, tTimestamptz, tInterval),
		sig(tTimestamp, add, tDate, tInterval), sig(tTime, addTime(1), tTime, tInterval),
		sig(tTimestamp, swapped(add), tInterval, tTimestamp), sig(tTimestamptz, swapped(add), tInterval, tTimestamptz),
		sig(tTimestamp, swapped(add), tInterval, tDate), sig(tTime, swapped(addTime(1)), tInterval, tTime),
		sig(tInterval, intervalSum(1), tInterval, tInterval),
		sig(tDate, dateAdd(1), tDate, tInt4), sig(tDate, swapped(dateAdd(1)), tInt4, tDate),
		sig(tTimestamp, dateTime, tDate, tTime), sig(tTimestamp, swapped(dateTime), tTime, tDate),
	}}
	minus := &Func{Name: "-", Kind: Operator, Sigs: []Sig{
		sig(tInterval, timeDiff, tTimestamp, tTimestamp), sig(tInterval, timeDiff, tTimestamptz, tTimestamptz),
		sig(tTimestamp, sub, tTimestamp, tInterval), sig(tTimestamptz, sub, tTimestamptz, tInterval),
		sig(tTimestamp, sub, tDate, tInterval), sig(tTime, addTime(-1), tTime, tInterval),
		sig(tInterval, intervalSum(-1), tInterval, tInterval), sig(tDate, dateAdd(-1), tDate, tInt4),
		sig(tInt4, dateDiff, tDate, tDate),
		sig(tInterval, each(func(f *frame, i int32) { f.setInterval(i, types.Interval{Micros: f.int(0, i) - f.int(1, i)}) }), tTime, tTime),
		sig(tInterval, intervalNeg, tInterval),
	}}
	return []*Func{
		plus, minus,
		{Name: "*", Kind: Operator, Sigs: []Sig{sig(tInterval, intervalMul(0, 1), tInterval, tFloat8), sig(tInterval, intervalMul(1, 0), tFloat8, tInterval)}},
		{Name: "/", Kind: Operator, Sigs: []Sig{sig(tInterval, intervalDiv, tInterval, tFloat8)}},
		now("now", "The clock of the step.", tTimestamptz, func(f *frame) int64 { return f.ctx.Now }),
		now("current_date", "The date of the step's clock in the session's zone.", tDate, func(f *frame) int64 {
			day, _ := types.SplitMicros(types.ToZone(f.ctx.Now, f.ctx.Zone))
			return day
		}),
		now("localtimestamp", "The clock of the step as local time.", tTimestamp, func(f *frame) int64 { return types.ToZone(f.ctx.Now, f.ctx.Zone) }),
		now("localtime", "The local time of day of the step's clock.", tTime, func(f *frame) int64 {
			_, ofDay := types.SplitMicros(types.ToZone(f.ctx.Now, f.ctx.Zone))
			return ofDay
		}),
		{Name: "to_timestamp", Doc: "A point in time, of seconds since 1970 or of a text in a format.", Sigs: []Sig{sig(tTimestamptz, epochKernel, tFloat8)}},
		{Name: "timezone", Doc: "x AT TIME ZONE zone: a point in time as local time there, or the reverse.", Sigs: []Sig{
			zoneSig(tTimestamp, atZone(true), tText, tTimestamptz), zoneSig(tTimestamptz, atZone(false), tText, tTimestamp),
			sig(tTimestamp, atOffset(true), tInterval, tTimestamptz), sig(tTimestamptz, atOffset(false), tInterval, tTimestamp)}},
		{Name: "age", Doc: "The difference in years, months and days; with one argument, from today's midnight.", Sigs: []Sig{
			sig(tInterval, ageKernel, tTimestamptz, tTimestamptz), sig(tInterval, ageKernel, tTimestamp, tTimestamp),
			sig(tInterval, ageToday, tTimestamptz).volatile(), sig(tInterval, ageToday, tTimestamp).volatile()}},
		{Name: "overlaps", Doc: "(start, end) OVERLAPS (start, end): whether two spans have a time in common; an end may be a length.", Sigs: overlapSigs()},
		{Name: "make_interval", Doc: "years, months, weeks, days, hours, mins, secs.", Sigs: makeIntervalSigs()},
		{Name: "make_date", Doc: "year, month, day.", Sigs: []Sig{sig(tDate, makeDate, tInt4, tInt4, tInt4)}},
		{Name: "make_time", Doc: "hour, minute, seconds.", Sigs: []Sig{sig(tTime, makeTime, tInt4, tInt4, tFloat8)}},
		{Name: "make_timestamp", Doc: "year, month, day, hour, minute, seconds.", Sigs: []Sig{
			sig(tTimestamp, makeTimestamp, tInt4, tInt4, tInt4, tInt4, tInt4, tFloat8)}},
		{Name: "make_timestamptz", Doc: "year, month, day, hour, minute, seconds, and a zone if it is not the session's.", Sigs: []Sig{
			sig(tTimestamptz, makeTimestamp, tInt4, tInt4, tInt4, tInt4, tInt4, tFloat8),
			sig(tTimestamptz, makeTimestamp, tInt4, tInt4, tInt4, tInt4, tInt4, tFloat8, tText)}},
		{Name: "justify_days", Doc: "30 days become a month.", Sigs: []Sig{sig(tInterval, justify(true, false), tInterval)}},
		{Name: "justify_hours", Doc: "24 hours become a day.", Sigs: []Sig{sig(tInterval, justify(false, true), tInterval)}},
		{Name: "justify_interval", Doc: "24 hours become a day, 30 days a month, of one sign.", Sigs: []Sig{sig(tInterval, justify(true, true), tInterval)}},
		{Name: "isfinite", Doc: "Whether it is not infinite.", Sigs: []Sig{sig(tBool, finiteKernel, tTimestamptz), sig(tBool, finiteKernel, tTimestamp), sig(tBool, finiteKernel, tDate),
			sig(tBool, each(func(f *frame, i int32) { f.setBool(i, true) }), tInterval)}},
	}
}

var finiteKernel = each(func(f *frame, i int32) { f.setBool(i, !infinite(f.int(0, i))) })

// swapped is the kernel with its two arguments exchanged.
func swapped(run kernel) kernel {
	return func(f *frame, sel []int32) {
		f.args[0], f.args[1] = f.args[1], f.args[0]
		run(f, sel)
		f.args[0], f.args[1] = f.args[1], f.args[0]
	}
}

// addMonths adds calendar months to a local time; the day is at most the last of the month.
func addMonths(local int64, months int32) int64 {
	day, ofDay := types.SplitMicros(local)
	y, m, d := types.CivilFromDays(day)
	n := y*12 + int64(m-1) + int64(months)
	y, m = floorDiv(n, 12), int(n-floorDiv(n, 12)*12)+1
	d = min(d, types.DaysInMonth(y, m))
	return types.DaysFromCivil(y, m, d)*types.MicrosPerDay + ofDay
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// addInterval adds months, then days, then the rest; months and days go by the local time of the zone. Infinity stays. ok is
// false outside the range of timestamps.
func addInterval(x int64, v types.Interval, zone *time.Location) (int64, bool) {
	if infinite(x) {
		return x, true
	}
	if v.Months != 0 {
		// Beyond these months no sum is in range, and the calendar's arithmetic would overflow.
		if v.Months > 4_000_000 || v.Months < -4_000_000 {
			return 0, false
		}
		if x = types.FromZone(addMonths(types.ToZone(x, zone), v.Months), zone); !inTimeRange(x) {
			return 0, false
		}
	}
	if v.Days != 0 {
		days := int64(v.Days) * types.MicrosPerDay
		local := types.ToZone(x, zone)
		sum := local + days
		if (sum^local)&(sum^days) < 0 {
			return 0, false
		}
		x = types.FromZone(sum, zone)
	}
	sum := x + v.Micros
	if (sum^x)&(sum^v.Micros) < 0 {
		return 0, false
	}
	return sum, inTimeRange(sum)
}

func inTimeRange(x int64) bool { return x >= minTimestamp && x <= maxTimestamp }

// negated is -v; ok is false if a part has no negative.
func negated(v types.Interval) (types.Interval, bool) {
	ok := v.Months != math.MinInt32 && v.Days != math.MinInt32 && v.Micros != math.MinInt64
	return types.Interval{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}, ok
}

// addKernel adds an interval to a timestamp or date, or subtracts it. A constant interval without months and days is a number.
func addKernel(direction int) kernel {
	return func(f *frame, sel []int32) {
		a, b := f.args[0], f.args[1]
		zone := f.ctx.Zone
		if f.out.Type.Kind != types.Timestamptz {
			zone = nil
		}
		scale := int64(1)
		if a.Type.Kind == types.Date {
			scale = types.MicrosPerDay
		}
		for _, i := range sel {
			x, v := a.I[i&a.mask], b.V[i&b.mask]
			if scale > 1 {
				if x > maxTimestamp/types.MicrosPerDay {
					f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "date out of range for timestamp"))
					continue
				}
				x *= scale
			}
			ok := true
			if direction < 0 {
				v, ok = negated(v)
			}
			var sum int64
			if ok {
				sum, ok = addInterval(x, v, zone)
			}
			if !ok {
				f.fail(i, outOfRange(types.Timestamp))
				continue
			}
			f.out.I[i] = sum
		}
	}
}

func addTime(direction int64) kernel {
	return each(func(f *frame, i int32) {
		_, ofDay := types.SplitMicros(f.iv(1, i).Micros)
		_, t := types.SplitMicros(f.int(0, i) + direction*ofDay)
		f.setInt(i, t)
	})
}

func dateAdd(direction int64) kernel {
	return each(func(f *frame, i int32) {
		day := f.int(0, i) + direction*f.int(1, i)
		if day < minTimestamp/types.MicrosPerDay || day > maxDate {
			f.fail(i, outOfRange(types.Date))
			return
		}
		f.setInt(i, day)
	})
}

// maxDate is 5874897-12-31, Postgres's last.
const maxDate = 2145031948

var dateTime = each(func(f *frame, i int32) {
	x, ok := mulInt64(f.int(0, i), types.MicrosPerDay)
	if x += f.int(1, i); !ok || !inTimeRange(x) {
		f.fail(i, outOfRange(types.Timestamp))
		return
	}
	f.setInt(i, x)
})

var dateDiff = each(func(f *frame, i int32) { f.setInt(i, f.int(0, i)-f.int(1, i)) })

// timeDiff is the difference as days of 24 hours and time.
var timeDiff = each(func(f *frame, i int32) {
	x, y := f.int(0, i), f.int(1, i)
	d := x - y
	if infinite(x) || infinite(y) {
		f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "cannot subtract infinite timestamps"))
		return
	}
	if (x^y)&(x^d) < 0 {
		f.fail(i, outOfRange(types.IntervalKind))
		return
	}
	f.setInterval(i, types.Interval{Days: int32(d / types.MicrosPerDay), Micros: d % types.MicrosPerDay})
})

// setParts sets an interval if its parts fit.
func (f *frame) setParts(i int32, months, days, micros int64, ok bool) {
	if !ok || months != int64(int32(months)) || days != int64(int32(days)) {
		f.fail(i, outOfRange(types.IntervalKind))
		return
	}
	f.setInterval(i, types.Interval{Months: int32(months), Days: int32(days), Micros: micros})
}

func intervalSum(direction int64) kernel {
	return each(func(f *frame, i int32) {
		a, b := f.iv(0, i), f.iv(1, i)
		ok := true
		if direction < 0 {
			b, ok = negated(b)
		}
		s := a.Micros + b.Micros
		ok = ok && (s^a.Micros)&(s^b.Micros) >= 0
		f.setParts(i, int64(a.Months)+int64(b.Months), int64(a.Days)+int64(b.Days), s, ok)
	})
}

var intervalNeg = each(func(f *frame, i int32) {
	v, ok := negated(f.iv(0, i))
	f.setParts(i, int64(v.Months), int64(v.Days), v.Micros, ok)
})

// scaleInterval multiplies an interval by a factor, or divides it. Fractions of months become days (30 a month) and fractions of
// days time, as in Postgres's interval_mul.
func scaleInterval(v types.Interval, factor float64, divide bool) (months, days, micros int64, ok bool) {
	apply := func(x float64) float64 {
		if divide {
			return x / factor
		}
		return x * factor
	}
	m, d := apply(float64(v.Months)), apply(float64(v.Days))
	if !fits32(m) || !fits32(d) {
		return 0, 0, 0, false
	}
	months, days = int64(m), int64(d)
	monthDays := roundMicro((m - float64(months)) * 30)
	seconds := roundMicro((d - float64(days) + monthDays - math.Trunc(monthDays)) * 86400)
	// The fraction may have been rounded up to a whole day.
	if math.Abs(seconds) >= 86400 {
		days += int64(seconds / 86400)
		seconds -= math.Trunc(seconds/86400) * 86400
	}
	days += int64(monthDays)
	t := math.RoundToEven(apply(float64(v.Micros)) + seconds*types.MicrosPerSecond)
	if t != t || t < math.MinInt64 || t >= math.MaxInt64 {
		return 0, 0, 0, false
	}
	return months, days, int64(t), true
}

func fits32(x float64) bool { return x == x && x >= math.MinInt32 && x <= math.MaxInt32 }

// roundMicro rounds to a millionth, which hides the errors of binary fractions.
func roundMicro(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }

func intervalMul(iv, factor int) kernel {
	return each(func(f *frame, i int32) {
		months, days, micros, ok := scaleInterval(f.iv(iv, i), f.float(factor, i), false)
		f.setParts(i, months, days, micros, ok)
	})
}

var intervalDiv = each(func(f *frame, i int32) {
	if f.float(1, i) == 0 {
		f.fail(i, divisionByZero())
		return
	}
	months, days, micros, ok := scaleInterval(f.iv(0, i), f.float(1, i), true)
	f.setParts(i, months, days, micros, ok)
})

// epochKernel is to_timestamp(seconds).
var epochKernel = each(func(f *frame, i int32) {
	s := f.float(0, i)
	switch {
	case s != s:
		f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "timestamp cannot be NaN"))
	case math.IsInf(s, 1):
		f.setInt(i, endOfTime)
	case math.IsInf(s, -1):
		f.setInt(i, startOfTime)
	default:
		// Postgres computes from 2000, where floats of today's times have more digits to spare.
		us := math.RoundToEven((s - secondsTo2000) * types.MicrosPerSecond)
		if us < minTimestamp-secondsTo2000*types.MicrosPerSecond || us >= maxTimestamp-secondsTo2000*types.MicrosPerSecond {
			f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "timestamp out of range: \"%g\"", s))
			return
		}
		f.setInt(i, int64(us)+secondsTo2000*types.MicrosPerSecond)
	}
})

// secondsTo2000 is 2000-01-01, from which Postgres counts.
const secondsTo2000 = 946684800

// ageOf is the symbolic difference of two local times: years and months by the calendar, then days and time.
func ageOf(x, y int64) (months, days, micros int64) {
	swap := x < y
	if swap {
		x, y = y, x
	}
	dx, tx := types.SplitMicros(x)
	dy, ty := types.SplitMicros(y)
	y1, m1, d1 := types.CivilFromDays(dx)
	y2, m2, d2 := types.CivilFromDays(dy)
	micros = tx - ty
	days = int64(d1 - d2)
	months = (y1-y2)*12 + int64(m1-m2)
	if micros < 0 {
		micros += types.MicrosPerDay
		days--
	}
	for days < 0 {
		// Days are borrowed from the month of the earlier time.
		if swap {
			days += int64(types.DaysInMonth(y1, m1))
		} else {
			days += int64(types.DaysInMonth(y2, m2))
		}
		months--
	}
	if swap {
		return -months, -days, -micros
	}
	return months, days, micros
}

func (f *frame) setAge(i int32, x, y int64) {
	if infinite(x) || infinite(y) {
		f.fail(i, outOfRange(types.Timestamp))
		return
	}
	if f.args[0].Type.Kind == types.Timestamptz {
		x, y = types.ToZone(x, f.ctx.Zone), types.ToZone(y, f.ctx.Zone)
	}
	months, days, micros := ageOf(x, y)
	f.setParts(i, months, days, micros, true)
}

var ageKernel = each(func(f *frame, i int32) { f.setAge(i, f.int(0, i), f.int(1, i)) })

// ageToday is age from the midnight at which the step's day began.
var ageToday = each(func(f *frame, i int32) {
	local := types.ToZone(f.ctx.Now, f.ctx.Zone)
	day, _ := types.SplitMicros(local)
	today := day * types.MicrosPerDay
	if f.args[0].Type.Kind == types.Timestamptz {
		today = types.FromZone(today, f.ctx.Zone)
	}
	f.setAge(i, today, f.int(0, i))
})

func makeIntervalSigs() []Sig {
	all := []types.Type{tInt4, tInt4, tInt4, tInt4, tInt4, tInt4, tFloat8}
	out := make([]Sig, 0, len(all)+1)
	for n := range len(all) + 1 {
		out = append(out, sig(tInterval, makeInterval, all[:n]...))
	}
	return out
}

var makeInterval = each(func(f *frame, i int32) {
	var p [6]int64
	for k := 0; k < min(len(f.args), 6); k++ {
		p[k] = f.int(k, i)
	}
	secs := 0.0
	if len(f.args) > 6 {
		secs = f.float(6, i)
	}
	us := math.RoundToEven(secs * types.MicrosPerSecond)
	ok := us >= -9e18 && us <= 9e18
	f.setParts(i, p[0]*12+p[1], p[2]*7+p[3], p[4]*types.MicrosPerHour+p[5]*types.MicrosPerMinute+int64(us), ok)
})

// civilDay is the day number of a date by its fields; negative years are before Christ.
func civilDay(y, m, d int64) (int64, *types.Error) {
	bad := types.Errorf(types.CodeDatetimeOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	if y == 0 || m < 1 || m > 12 || d < 1 || y > 5874897 || y < -4713 {
		return 0, bad
	}
	if y < 0 {
		y++
	}
	if d > int64(types.DaysInMonth(y, int(m))) {
		return 0, bad
	}
	return types.DaysFromCivil(y, int(m), int(d)), nil
}

var makeDate = each(func(f *frame, i int32) {
	day, err := civilDay(f.int(0, i), f.int(1, i), f.int(2, i))
	if err != nil {
		f.fail(i, err)
		return
	}
	f.setInt(i, day)
})

// clockOf is the time of day by its fields; 24:00:00 and second 60 are allowed.
func clockOf(h, m int64, s float64) (int64, *types.Error) {
	us := math.RoundToEven(s * types.MicrosPerSecond)
	if h < 0 || m < 0 || m > 59 || !(us >= 0 && us <= 60*types.MicrosPerSecond) || h > 24 || h == 24 && (m > 0 || us > 0) {
		return 0, types.Errorf(types.CodeDatetimeOverflow, "time field value out of range: %d:%02d:%02g", h, m, s)
	}
	return h*types.MicrosPerHour + m*types.MicrosPerMinute + int64(us), nil
}

var makeTime = each(func(f *frame, i int32) {
	t, err := clockOf(f.int(0, i), f.int(1, i), f.float(2, i))
	if err != nil {
		f.fail(i, err)
		return
	}
	f.setInt(i, t)
})

var makeTimestamp = each(func(f *frame, i int32) {
	day, err := civilDay(f.int(0, i), f.int(1, i), f.int(2, i))
	var t int64
	if err == nil {
		t, err = clockOf(f.int(3, i), f.int(4, i), f.float(5, i))
	}
	zone := f.ctx.Zone
	if err == nil && len(f.args) > 6 {
		if zone, err = loadZone(string(f.str(6, i))); err == nil {
			if offset, ok := zoneOffset(string(f.str(6, i))); ok { // here, unlike in AT TIME ZONE, positive is east
				zone = time.FixedZone("", -offset)
			}
		}
	}
	if err == nil && day > maxTimestamp/types.MicrosPerDay {
		err = outOfRange(types.Timestamp)
	}
	if err != nil {
		f.fail(i, err)
		return
	}
	x := day*types.MicrosPerDay + t
	if f.out.Type.Kind == types.Timestamptz {
		x = types.FromZone(x, zone)
	}
	f.setInt(i, x)
})

// justify moves whole days of time into days, and whole months of 30 days into months; with both, the parts get one sign.
func justify(months, hours bool) kernel {
	return each(func(f *frame, i int32) {
		v := f.iv(0, i)
		m, d, t := int64(v.Months), int64(v.Days), v.Micros
		if hours {
			d += t / types.MicrosPerDay
			t %= types.MicrosPerDay
		}
		if months {
			m += d / 30
			d %= 30
		}
		if months && hours {
			if m > 0 && (d < 0 || d == 0 && t < 0) {
				d, m = d+30, m-1
			} else if m < 0 && (d > 0 || d == 0 && t > 0) {
				d, m = d-30, m+1
			}
		} else if months {
			if m > 0 && d < 0 {
				d, m = d+30, m-1
			} else if m < 0 && d > 0 {
				d, m = d-30, m+1
			}
		}
		if hours {
			if d > 0 && t < 0 {
				t, d = t+types.MicrosPerDay, d-1
			} else if d < 0 && t > 0 {
				t, d = t-types.MicrosPerDay, d+1
			}
		}
		f.setParts(i, m, d, t, true)
	})
}

// overlapSigs has the overloads of OVERLAPS: each end is a time or a length.
func overlapSigs() []Sig {
	var out []Sig
	for _, t := range []types.Type{tTimestamptz, tTimestamp, tTime} {
		ends := []types.Type{t, tInterval}
		if t == tTime {
			ends = ends[:1]
		}
		for _, e1 := range ends {
			for _, e2 := range ends {
				out = append(out, sig(tBool, overlapKernel, t, e1, t, e2).nonStrict())
			}
		}
	}
	return out
}

// overlapKernel: the spans are [start, end), the ends in either order; a span of length 0 is its start. A span of which one end is NULL
// begins at the other; the answer is NULL if it depends on what is not known.
var overlapKernel = each(func(f *frame, i int32) {
	a, b := f.span(0, i), f.span(2, i)
	if a.bad || b.bad {
		f.fail(i, outOfRange(types.Timestamp))
		return
	}
	if a.start > b.start {
		a, b = b, a
	}
	switch { // a begins first, or both at once
	case a.unknown, b.unknown, !a.known, a.start == b.start && !b.known:
		f.setNull(i)
	case a.start == b.start || b.start < a.end:
		f.setBool(i, true)
	case !b.known:
		f.setNull(i)
	default:
		f.setBool(i, false)
	}
})

// span is a stretch of time. known: both ends are; unknown: none is.
type span struct {
	start, end          int64
	known, unknown, bad bool
}

// span is the time from argument k to argument k+1.
func (f *frame) span(k int, i int32) span {
	hasStart, hasEnd := !f.isNull(k, i), !f.isNull(k+1, i)
	length := f.args[k+1].Type.Kind == types.IntervalKind
	switch {
	case !hasStart && (length || !hasEnd):
		return span{unknown: true}
	case !hasStart:
		return span{start: f.int(k+1, i)}
	case !hasEnd:
		return span{start: f.int(k, i)}
	}
	start, end, ok := f.int(k, i), int64(0), true
	if !length {
		end = f.int(k+1, i)
	} else if f.args[k].Type.Kind == types.Timestamptz {
		end, ok = addInterval(start, f.iv(k+1, i), f.ctx.Zone)
	} else {
		end, ok = addInterval(start, f.iv(k+1, i), nil)
	}
	return span{start: min(start, end), end: max(start, end), known: true, bad: !ok}
}
