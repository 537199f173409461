package pickle

import (
	"fmt"
	"math"
	"time"
)

// A Date is a datetime.date, of the years 1 to 9999.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// A TimeOfDay is a datetime.time.
type TimeOfDay struct {
	Hour, Minute, Second, Microsecond int
	Fold                              int     // 1 for the second occurrence of a time that a clock shows twice when it is set back
	Zone                              *Object // the tzinfo; nil for a naive time
}

// A DateTime is a datetime.datetime without a tzinfo, or with a tzinfo of no fixed
// offset. A datetime with a fixed offset is a [time.Time].
type DateTime struct {
	Date
	TimeOfDay
}

// A TimeDelta is a datetime.timedelta beyond the 292 years of a [time.Duration],
// normalised as in Python: 0 to 86399 seconds, 0 to 999999 microseconds.
type TimeDelta struct{ Days, Seconds, Microseconds int }

func (d Date) valid() bool {
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 12 || d.Day < 1 {
		return false
	}
	return d.Day <= time.Date(d.Year, d.Month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func (t TimeOfDay) valid() bool {
	return within(t.Hour, 24) && within(t.Minute, 60) && within(t.Second, 60) &&
		within(t.Microsecond, 1e6) && within(t.Fold, 2)
}

func within(n, limit int) bool { return 0 <= n && n < limit }

const maxDays = 999_999_999 // of a timedelta, either way

func (d TimeDelta) valid() bool {
	return -maxDays <= d.Days && d.Days <= maxDays && within(d.Seconds, 24*60*60) && within(d.Microseconds, 1e6)
}

// String returns the date in the form of ISO 8601.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// String returns the time in the form of ISO 8601, without the zone.
func (t TimeOfDay) String() string {
	return fmt.Sprintf("%02d:%02d:%02d.%06d", t.Hour, t.Minute, t.Second, t.Microsecond)
}

// String returns date and time in the form of ISO 8601, without the zone.
func (t DateTime) String() string { return t.Date.String() + "T" + t.TimeOfDay.String() }

// Time returns the moment of the fields in a location, as [time.Date] does.
func (t DateTime) Time(loc *time.Location) time.Time {
	return time.Date(t.Year, t.Month, t.Day, t.Hour, t.Minute, t.Second, t.Microsecond*1000, loc)
}

// The bytes with which Python pickles dates and times, big-endian:
//
//	date      year(2) month day
//	time      hour minute second microsecond(3); bit 7 of the hour is fold
//	datetime  date and time; bit 7 of the month, not of the hour, is fold
const foldBit = 0x80

func (d Date) bytes() []byte {
	return []byte{byte(d.Year >> 8), byte(d.Year), byte(d.Month), byte(d.Day)}
}

func (t TimeOfDay) bytes() []byte {
	us := t.Microsecond
	return []byte{byte(t.Hour) | byte(t.Fold*foldBit), byte(t.Minute), byte(t.Second), byte(us >> 16), byte(us >> 8), byte(us)}
}

func (t DateTime) bytes() []byte {
	fold := byte(t.Fold * foldBit)
	t.Fold = 0
	b := append(t.Date.bytes(), t.TimeOfDay.bytes()...)
	b[2] |= fold
	return b
}

func dateOf(b []byte) (d Date, ok bool) {
	if len(b) != 4 {
		return d, false
	}
	d = Date{int(b[0])<<8 | int(b[1]), time.Month(b[2]), int(b[3])}
	return d, d.valid()
}

func timeOf(b []byte) (t TimeOfDay, ok bool) {
	if len(b) != 6 {
		return t, false
	}
	t = TimeOfDay{
		Hour: int(b[0] &^ foldBit), Minute: int(b[1]), Second: int(b[2]),
		Microsecond: int(b[3])<<16 | int(b[4])<<8 | int(b[5]), Fold: int(b[0] / foldBit),
	}
	return t, t.valid()
}

func dateTimeOf(b []byte) (t DateTime, ok bool) {
	if len(b) != 10 || b[4]&foldBit != 0 {
		return t, false
	}
	var dateOK, timeOK bool
	t.Date, dateOK = dateOf([]byte{b[0], b[1], b[2] &^ foldBit, b[3]})
	t.TimeOfDay, timeOK = timeOf(b[4:])
	t.Fold = int(b[2] / foldBit)
	return t, dateOK && timeOK
}

// dateTimeFrom returns the fields of an aware time.
func dateTimeFrom(t time.Time) (DateTime, error) {
	if t.Nanosecond()%1000 != 0 {
		return DateTime{}, valuef("%v: a datetime has microseconds; use Truncate", t)
	}
	year, month, day := t.Date()
	d := DateTime{
		Date{year, month, day},
		TimeOfDay{Hour: t.Hour(), Minute: t.Minute(), Second: t.Second(), Microsecond: t.Nanosecond() / 1000},
	}
	if !d.Date.valid() {
		return DateTime{}, valuef("%v: a datetime has the years 1 to 9999", t)
	}
	return d, nil
}

// deltaFrom returns a duration as a TimeDelta, normalised as in Python.
func deltaFrom(d time.Duration) (TimeDelta, error) {
	if d%time.Microsecond != 0 {
		return TimeDelta{}, valuef("%v: a timedelta has microseconds; use Truncate", d)
	}
	const day = 24 * time.Hour
	days := d / day
	if d %= day; d < 0 {
		days, d = days-1, d+day
	}
	return TimeDelta{int(days), int(d / time.Second), int(d % time.Second / time.Microsecond)}, nil
}

// duration returns the delta as a time.Duration, if it is short enough: the longest ones
// last for a part of day 106,752.
func (d TimeDelta) duration() (time.Duration, bool) {
	const day = 24 * time.Hour
	const most = int(math.MaxInt64 / day) // whole days
	if d.Days > most || d.Days < -most-1 {
		return 0, false
	}
	days, rest := d.Days, time.Duration(d.Seconds)*time.Second+time.Duration(d.Microseconds)*time.Microsecond
	if days < 0 { // the days alone could be too long
		days, rest = days+1, rest-day
	}
	sum := time.Duration(days)*day + rest
	return sum, sum >= 0 == (d.Days >= 0)
}

// deltaValue returns the Go value of a timedelta.
func deltaValue(d TimeDelta) any {
	if short, ok := d.duration(); ok {
		return short
	}
	return d
}

// zoneName returns the name of a location made by time.FixedZone. For other locations
// it returns none: their abbreviations change with the time.
func zoneName(t time.Time) string {
	if abbreviation, _ := t.Zone(); abbreviation == t.Location().String() {
		return abbreviation
	}
	return ""
}

// fixedOffset returns the offset of a tzinfo, if the tzinfo is a datetime.timezone.
func fixedOffset(zone *Object) (offset time.Duration, ok bool) {
	if zone == nil || zone.Class != classTimezone || zone.Form != Call || len(zone.Args) == 0 {
		return 0, false
	}
	offset, ok = zone.Args[0].(time.Duration)
	return offset, ok && -24*time.Hour < offset && offset < 24*time.Hour
}

// instant returns the moment of an aware datetime, if its offset is known.
func instant(v any) (moment time.Time, ok bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case DateTime:
		offset, ok := fixedOffset(v.Zone)
		return v.Time(time.UTC).Add(-offset), ok
	}
	return time.Time{}, false
}

// inUTC returns the fields of an aware time that CPython compares, since the day is not
// known: the seconds, with only whole seconds of the offset, and the microseconds.
func (t TimeOfDay) inUTC() (fields [2]int, ok bool) {
	offset, ok := fixedOffset(t.Zone)
	if !ok {
		return fields, false
	}
	d, _ := deltaFrom(offset.Truncate(time.Microsecond))
	return [2]int{t.Hour*3600 + t.Minute*60 + t.Second - d.Days*24*3600 - d.Seconds, t.Microsecond}, true
}
