package expr

import (
	"bytes"
	"math"
	"time"

	"rhumb/types"
)

// unit is a field of EXTRACT and DATE_TRUNC.
type unit uint8

const (
	unitNone unit = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitQuarter
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitEpoch
	unitDow
	unitIsoDow
	unitDoy
	unitIsoYear
	unitJulian
	unitZone
	unitZoneHour
	unitZoneMinute
)

var unitNames = map[string]unit{
	"us": unitMicrosecond, "usec": unitMicrosecond, "usecs": unitMicrosecond, "usecond": unitMicrosecond, "useconds": unitMicrosecond,
	"microsecond": unitMicrosecond, "microseconds": unitMicrosecond, "microsecon": unitMicrosecond,
	"ms": unitMillisecond, "msec": unitMillisecond, "msecs": unitMillisecond, "msecond": unitMillisecond, "mseconds": unitMillisecond,
	"millisecond": unitMillisecond, "milliseconds": unitMillisecond, "millisecon": unitMillisecond,
	"s": unitSecond, "sec": unitSecond, "secs": unitSecond, "second": unitSecond, "seconds": unitSecond,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"h": unitHour, "hr": unitHour, "hrs": unitHour, "hour": unitHour, "hours": unitHour,
	"d": unitDay, "day": unitDay, "days": unitDay, "w": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"mon": unitMonth, "mons": unitMonth, "month": unitMonth, "months": unitMonth, "qtr": unitQuarter, "quarter": unitQuarter,
	"y": unitYear, "yr": unitYear, "yrs": unitYear, "year": unitYear, "years": unitYear,
	"dec": unitDecade, "decs": unitDecade, "decade": unitDecade, "decades": unitDecade,
	"c": unitCentury, "cent": unitCentury, "century": unitCentury, "centuries": unitCentury,
	"mil": unitMillennium, "mils": unitMillennium, "millennium": unitMillennium, "millennia": unitMillennium,
	"epoch": unitEpoch, "dow": unitDow, "isodow": unitIsoDow, "doy": unitDoy, "isoyear": unitIsoYear, "j": unitJulian, "jd": unitJulian, "julian": unitJulian,
	"timezone": unitZone, "timezone_h": unitZoneHour, "timezone_hour": unitZoneHour, "timezone_m": unitZoneMinute, "timezone_minute": unitZoneMinute,
}

// unitOf reads a unit's name; the error is that of a name that no type knows.
func unitOf(name []byte, t types.Type) (unit, *types.Error) {
	if u, ok := unitNames[string(bytes.ToLower(name))]; ok {
		return u, nil
	}
	names := make([]string, 0, len(unitNames))
	for n := range unitNames {
		names = append(names, n)
	}
	err := types.Errorf(types.CodeInvalidOption, "unit \"%s\" not recognized for type %s", name, t)
	if s := types.Suggest(string(name), names); s != "" {
		err = err.WithHint("Did you mean %s?", s)
	}
	return unitNone, err
}

func unsupportedUnit(name []byte, t types.Type) *types.Error {
	return types.Errorf(types.CodeNotSupported, "unit \"%s\" not supported for type %s", name, t)
}

// unitSig is an overload whose argument 0 is a unit's name; a constant one is read when the call is bound. row returns false
// for a unit that the type has not.
func unitSig(ret types.Type, row func(f *frame, i int32, u unit) bool, args ...types.Type) Sig {
	one := func(f *frame, i int32, u unit) {
		if !row(f, i, u) {
			f.fail(i, unsupportedUnit(f.str(0, i), args[1]))
		}
	}
	varying := each(func(f *frame, i int32) {
		u, err := unitOf(f.str(0, i), args[1])
		if err != nil {
			f.fail(i, err)
			return
		}
		one(f, i, u)
	})
	return sig(ret, varying, args...).preparing(func(exprs []Expr) (kernel, *types.Error) {
		v, ok := constantArg(exprs, 0)
		if !ok {
			return nil, nil
		}
		u, err := unitOf([]byte(v.S), args[1])
		if err != nil {
			return nil, err
		}
		return each(func(f *frame, i int32) { one(f, i, u) }), nil
	})
}

func timePartFuncs() []*Func {
	extract := &Func{Name: "extract", Doc: "A field of a time or interval, as NUMERIC: extract(field from x)."}
	part := &Func{Name: "date_part", Doc: "A field of a time or interval, as DOUBLE PRECISION."}
	for _, t := range []types.Type{tTimestamp, tTimestamptz, tInterval, tTime, tDate} {
		extract.Sigs = append(extract.Sigs, unitSig(tNumeric, extractRow, tText, t))
		if t != tDate { // a date is read as a timestamp, which has hours
			part.Sigs = append(part.Sigs, unitSig(tFloat8, datePartRow, tText, t))
		}
	}
	part.Sigs = append(part.Sigs, unitSig(tFloat8, func(f *frame, i int32, u unit) bool {
		p, ok := timestampPart(f.int(1, i)*types.MicrosPerDay, u)
		f.setFloat(i, p.float())
		return ok
	}, tText, tDate))
	return []*Func{
		extract, part,
		{Name: "date_trunc", Doc: "Cut to a unit; a TIMESTAMPTZ in the session's zone or in that of the third argument.", Sigs: []Sig{
			unitSig(tTimestamp, func(f *frame, i int32, u unit) bool { return f.truncTime(i, u, nil) }, tText, tTimestamp),
			unitSig(tTimestamptz, func(f *frame, i int32, u unit) bool { return f.truncTime(i, u, f.ctx.Zone) }, tText, tTimestamptz),
			unitSig(tInterval, truncInterval, tText, tInterval),
			zoneSigAt(2, tTimestamptz, truncIn, tText, tTimestamptz, tText)}},
		{Name: "date_bin", Doc: "The start of the bin of a width, counted from an origin.", Sigs: []Sig{
			sig(tTimestamp, dateBin, tInterval, tTimestamp, tTimestamp), sig(tTimestamptz, dateBin, tInterval, tTimestamptz, tTimestamptz)}},
	}
}

// part is a field's value: n / 10^scale.
type part struct {
	n     int64
	scale int
	// A julian day of a timestamp has the time of day besides.
	julian bool
	ofDay  int64
}

func (p part) float() float64 {
	return float64(p.n)/float64(pow10[p.scale]) + float64(p.ofDay)/types.MicrosPerDay
}

func (p part) appendTo(dst []byte) []byte {
	if !p.julian {
		return appendDec(dst, dec{p.n, p.scale})
	}
	q, _ := numDiv(nil, appendDec(nil, dec{coef: p.ofDay}), []byte("86400000000"))
	dst, _ = numAdd(dst, appendDec(nil, dec{coef: p.n}), q, false)
	return dst
}

// partOf is the field u of argument 1. null says that the value is unknown (of infinity), ok is false if the type has no such field.
func (f *frame) partOf(i int32, u unit) (p part, null, ok bool) {
	switch f.args[1].Type.Kind {
	case types.IntervalKind:
		p, ok = intervalPart(f.iv(1, i), u)
		return p, false, ok
	case types.Time:
		p, ok = clockPart(f.int(1, i), u)
		if u == unitEpoch {
			p, ok = part{n: f.int(1, i), scale: 6}, true
		}
		return p, false, ok
	case types.Date:
		p, ok = datePart(f.int(1, i), u)
		if u == unitEpoch {
			p, ok = part{n: f.int(1, i) * 86400}, true
		}
		return p, false, ok
	}
	x := f.int(1, i)
	if infinite(x) {
		return p, true, true
	}
	if f.args[1].Type.Kind == types.Timestamptz {
		local := types.ToZone(x, f.ctx.Zone)
		offset := (local - x) / types.MicrosPerSecond
		switch u {
		case unitZone:
			return part{n: offset}, false, true
		case unitZoneHour:
			return part{n: offset / 3600}, false, true
		case unitZoneMinute:
			return part{n: offset / 60 % 60}, false, true
		case unitEpoch:
			return part{n: x, scale: 6}, false, true
		}
		x = local
	}
	p, ok = timestampPart(x, u)
	return p, false, ok
}

func extractRow(f *frame, i int32, u unit) bool {
	p, null, ok := f.partOf(i, u)
	if null {
		f.setNull(i)
	} else if ok {
		f.end(i, p.appendTo(f.begin()))
	}
	return ok
}

func datePartRow(f *frame, i int32, u unit) bool {
	p, null, ok := f.partOf(i, u)
	switch {
	case !null:
		f.setFloat(i, p.float())
	case u == unitEpoch || u >= unitYear && u <= unitMillennium || u == unitIsoYear || u == unitJulian:
		f.setFloat(i, math.Inf(sign64(f.int(1, i)))) // what grows with time is infinite
	default:
		f.setNull(i)
	}
	return ok
}

// clockPart is a field of a time of day.
func clockPart(t int64, u unit) (part, bool) {
	inMinute := t % types.MicrosPerMinute
	switch u {
	case unitMicrosecond:
		return part{n: inMinute}, true
	case unitMillisecond:
		return part{n: inMinute, scale: 3}, true
	case unitSecond:
		return part{n: inMinute, scale: 6}, true
	case unitMinute:
		return part{n: t / types.MicrosPerMinute % 60}, true
	case unitHour:
		return part{n: t / types.MicrosPerHour}, true
	}
	return part{}, false
}

func timestampPart(x int64, u unit) (part, bool) {
	day, ofDay := types.SplitMicros(x)
	switch {
	case u <= unitHour:
		return clockPart(ofDay, u)
	case u == unitEpoch:
		return part{n: x, scale: 6}, true
	case u == unitJulian:
		return part{n: day + julianOf1970, julian: true, ofDay: ofDay}, true
	}
	return datePart(day, u)
}

const julianOf1970 = 2440588

// periodsOf numbers the periods of so many years (10, 100, 1000) as people do: there is no year 0. first is the first year of
// period 1: 1 of centuries and millennia.
func periodsOf(y, years int64) int64 {
	if y > 0 {
		return (y + years - 1) / years
	}
	return -((years - 1 - (y - 1)) / years)
}

// commonEra turns the astronomical year into that of the calendar, where -1 is 1 BC.
func commonEra(y int64) int64 {
	if y <= 0 {
		y--
	}
	return y
}

// datePart is a field of a day.
func datePart(day int64, u unit) (part, bool) {
	y, m, d := types.CivilFromDays(day)
	n := int64(0)
	switch u {
	case unitDay:
		n = int64(d)
	case unitMonth:
		n = int64(m)
	case unitQuarter:
		n = int64(m-1)/3 + 1
	case unitYear:
		n = commonEra(y)
	case unitDecade:
		n = floorDiv(y, 10)
	case unitCentury:
		n = periodsOf(y, 100)
	case unitMillennium:
		n = periodsOf(y, 1000)
	case unitDow:
		n = weekday(day)
	case unitIsoDow:
		n = (weekday(day)+6)%7 + 1
	case unitDoy:
		n = dayOfYear(day, y)
	case unitWeek:
		n, _ = isoWeek(day)
	case unitIsoYear:
		_, year := isoWeek(day)
		n = commonEra(year)
	case unitJulian:
		n = day + julianOf1970
	default:
		return part{}, false
	}
	return part{n: n}, true
}

// weekday is 0 on Sundays; 1970-01-01 was a Thursday.
func weekday(day int64) int64 { return ((day+4)%7 + 7) % 7 }

func dayOfYear(day, y int64) int64 { return day - types.DaysFromCivil(y, 1, 1) + 1 }

// isoWeek is the week of ISO 8601 and the year it belongs to: that of its Thursday.
func isoWeek(day int64) (week, year int64) {
	thursday := day - (weekday(day)+6)%7 + 3
	year, _, _ = types.CivilFromDays(thursday)
	return (thursday-types.DaysFromCivil(year, 1, 1))/7 + 1, year
}

// isoWeekStart is the Monday of a week of a year of ISO 8601.
func isoWeekStart(year, week int64) int64 {
	jan4 := types.DaysFromCivil(year, 1, 4)
	return jan4 - (weekday(jan4)+6)%7 + (week-1)*7
}

func intervalPart(v types.Interval, u unit) (part, bool) {
	years, months := int64(v.Months/12), int64(v.Months%12)
	n := int64(0)
	switch u {
	case unitDay:
		n = int64(v.Days)
	case unitMonth:
		n = months
	case unitQuarter:
		n = months/3 + 1
	case unitYear:
		n = years
	case unitDecade:
		n = years / 10
	case unitCentury:
		n = years / 100
	case unitMillennium:
		n = years / 1000
	case unitEpoch:
		// A year has 365.25 days, a month besides 30.
		quarterDays := 1461*years + 120*months + 4*int64(v.Days)
		return part{n: quarterDays*21600*types.MicrosPerSecond + v.Micros, scale: 6}, true
	default:
		return clockPart(v.Micros, u)
	}
	return part{n: n}, true
}

// unitMicros is the length of the units that have one, on which a day of UTC can be cut.
func unitMicros(u unit) int64 {
	switch u {
	case unitMicrosecond:
		return 1
	case unitMillisecond:
		return 1000
	case unitSecond:
		return types.MicrosPerSecond
	case unitMinute:
		return types.MicrosPerMinute
	case unitHour:
		return types.MicrosPerHour
	case unitDay:
		return types.MicrosPerDay
	}
	return 0
}

// truncLocal cuts a local time.
func truncLocal(x int64, u unit) (int64, bool) {
	if n := unitMicros(u); n > 0 {
		return floorDiv(x, n) * n, true
	}
	day, _ := types.SplitMicros(x)
	y, m, _ := types.CivilFromDays(day)
	switch u {
	case unitWeek:
		return (day - (weekday(day)+6)%7) * types.MicrosPerDay, true
	case unitMonth:
	case unitQuarter:
		m = (m-1)/3*3 + 1
	case unitYear:
		m = 1
	case unitDecade:
		y, m = floorDiv(y, 10)*10, 1
	case unitCentury:
		y, m = floorDiv(y-1, 100)*100+1, 1
	case unitMillennium:
		y, m = floorDiv(y-1, 1000)*1000+1, 1
	default:
		return 0, false
	}
	return types.DaysFromCivil(y, m, 1) * types.MicrosPerDay, true
}

// truncTime is false for a unit that cannot be cut to.
func (f *frame) truncTime(i int32, u unit, zone *time.Location) bool {
	x := f.int(1, i)
	if u > unitMillennium {
		f.fail(i, types.Errorf(types.CodeInvalidOption, "unit \"%s\" not recognized for type %s", f.str(0, i), f.args[1].Type))
		return true
	}
	if infinite(x) {
		f.setInt(i, x)
		return true
	}
	local := types.ToZone(x, zone)
	t, ok := truncLocal(local, u)
	switch {
	case isUTC(zone):
	case u <= unitHour: // within an hour the offset stays
		t -= local - x
	default:
		t = types.FromZone(t, zone)
	}
	f.setInt(i, t)
	return ok
}

// truncIn is date_trunc with a zone.
func truncIn(f *frame, i int32, zone *time.Location) {
	u, err := unitOf(f.str(0, i), tTimestamptz)
	if err == nil && !f.truncTime(i, u, zone) {
		err = unsupportedUnit(f.str(0, i), tTimestamptz)
	}
	if err != nil {
		f.fail(i, err)
	}
}

// truncInterval cuts each part that is smaller than the unit.
func truncInterval(f *frame, i int32, u unit) bool {
	v := f.iv(1, i)
	if n := unitMicros(u); u <= unitHour && n > 0 {
		v.Micros -= v.Micros % n
		f.setInterval(i, v)
		return true
	}
	months := int32(0)
	switch u {
	case unitDay:
		f.setInterval(i, types.Interval{Months: v.Months, Days: v.Days})
		return true
	case unitMonth:
		months = 1
	case unitQuarter:
		months = 3
	case unitYear:
		months = 12
	case unitDecade:
		months = 120
	case unitCentury:
		months = 1200
	case unitMillennium:
		months = 12000
	default:
		return false
	}
	f.setInterval(i, types.Interval{Months: v.Months - v.Months%months})
	return true
}

var dateBin = each(func(f *frame, i int32) {
	stride, x, origin := f.iv(0, i), f.int(1, i), f.int(2, i)
	if infinite(x) {
		f.setInt(i, x)
		return
	}
	width := int64(stride.Days)*types.MicrosPerDay + stride.Micros
	switch {
	case infinite(origin):
		f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "origin out of range"))
	case stride.Months != 0:
		f.fail(i, types.Errorf(types.CodeNotSupported, "timestamps cannot be binned into intervals containing months or years"))
	case width <= 0:
		f.fail(i, types.Errorf(types.CodeDatetimeOverflow, "stride must be greater than zero"))
	default:
		d := x - origin
		if (x^origin)&(x^d) < 0 {
			f.fail(i, outOfRange(types.Timestamp))
			return
		}
		f.setInt(i, origin+floorDiv(d, width)*width)
	}
})
