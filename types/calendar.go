package types

// A DATE is days, a TIMESTAMP(TZ) microseconds since 1970-01-01 UTC in the proleptic Gregorian calendar, with the
// astronomical year 0 for 1 BC.

// Microseconds per unit.
const (
	MicrosPerSecond = 1_000_000
	MicrosPerMinute = 60 * MicrosPerSecond
	MicrosPerHour   = 60 * MicrosPerMinute
	MicrosPerDay    = 24 * MicrosPerHour
)

// The range of dates and timestamps. Postgres begins dates and timestamps at 4713-11-24 BC (Julian day 0) and ends
// timestamps in 294276; ours end in 294247, where microseconds since 1970 leave 64 bits. Postgres's DATE ends in 5874897.
const (
	minDay  = -2440588   // 4714-11-24 BC
	endDay  = 2145042906 // 5874898-01-01
	minTime = minDay * MicrosPerDay
)

// DaysFromCivil returns the day number of a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
// algorithms", 2013). The month is 1 to 12; days beyond the month's end count on into the next.
func DaysFromCivil(y int64, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	mp := int64(m+9) % 12
	doy := (153*mp+2)/5 + int64(d) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (y int64, m, d int) {
	z := days + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// DaysInMonth is the length of a month.
func DaysInMonth(y int64, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// SplitMicros divides a timestamp into its day and the microseconds since midnight.
func SplitMicros(micros int64) (day, ofDay int64) {
	day = floorDiv(micros, MicrosPerDay)
	return day, micros - day*MicrosPerDay
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
