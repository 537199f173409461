package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"
	"unicode/utf8"
)

// shareable is the smallest size of a text or integer that is written once and then
// referred to. Smaller values are written again, which takes hardly more bytes.
const shareable = 16

// value writes a value, of any type.
func (e *encoder) value(v any) error {
	if err := e.checkLength(); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		e.put(opNone)
		return nil
	case bool:
		if v {
			e.put(opNewTrue)
		} else {
			e.put(opNewFalse)
		}
		return nil
	case float64:
		e.float(v)
		return nil
	case float32:
		e.float(float64(v))
		return nil
	case complex64:
		return e.complex(complex128(v))
	case complex128:
		return e.complex(v)
	case string, Surrogates, []byte, ByteArray, *big.Int:
		return e.text(v)
	case []any, Tuple, *Dict, *Set, *FrozenSet, *Object:
		return e.container(identify(v), func(p *place) error { return e.items(v, p) })
	case Class:
		return e.class(v)
	}
	if n, ok := integerOf(v); ok {
		return e.integer(n)
	}
	if done, err := e.call(v); done {
		return err
	}
	return e.reflected(v)
}

// ---- numbers ----

// integer writes an int64 or a *big.Int.
func (e *encoder) integer(v any) error {
	n, ok := v.(int64)
	switch {
	case !ok:
		return e.big(v.(*big.Int))
	case 0 <= n && n <= math.MaxUint8:
		e.put(opBinInt1, byte(n))
	case 0 <= n && n <= math.MaxUint16:
		e.put(opBinInt2, byte(n), byte(n>>8))
	case math.MinInt32 <= n && n <= math.MaxInt32:
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, opBinInt), uint32(n))
	default:
		e.long(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	}
	return nil
}

func (e *encoder) big(n *big.Int) error {
	if n.IsInt64() {
		return e.integer(n.Int64())
	}
	size := n.BitLen()/8 + 1 // with the sign bit
	if err := e.room(size); err != nil {
		return err
	}
	b := make([]byte, size)
	if n.Sign() >= 0 {
		n.FillBytes(b)
	} else { // -n is the complement of n, plus one
		new(big.Int).Not(n).FillBytes(b)
		for i := range b {
			b[i] = ^b[i]
		}
	}
	slices.Reverse(b)
	e.long(b)
	return nil
}

// long writes an int in two's complement. It leaves out bytes that only repeat the
// sign.
func (e *encoder) long(b []byte) {
	for n := len(b); n > 1 && (b[n-1] == 0 && b[n-2] < 0x80 || b[n-1] == 0xff && b[n-2] >= 0x80); n-- {
		b = b[:n-1]
	}
	if len(b) < 256 {
		e.put(opLong1, byte(len(b)))
	} else {
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, opLong4), uint32(len(b)))
	}
	e.put(b...)
}

func (e *encoder) float(f float64) {
	e.buf = binary.BigEndian.AppendUint64(append(e.buf, opBinFloat), math.Float64bits(f))
}

func (e *encoder) complex(c complex128) error {
	return e.reduce(nil, classComplex, func() error {
		e.float(real(c))
		e.float(imag(c))
		e.put(opTuple2)
		return nil
	})
}

// ---- texts ----

// text writes a value with bytes but no items: a text or a large integer.
func (e *encoder) text(v any) error {
	if n, ok := v.(*big.Int); ok && n == nil {
		return wrapf(ErrType, "a nil *big.Int")
	}
	size := int(weight(v))
	if err := e.room(size); err != nil {
		return err
	}
	var p *place
	if _, mutable := v.(ByteArray); mutable || size >= shareable {
		var done bool
		var err error
		if p, done, err = e.first(identify(v)); done {
			return err
		}
	}
	return e.textAt(v, p)
}

func (e *encoder) textAt(v any, p *place) error {
	var err error
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return ErrUTF8
		}
		err = e.str(v)
	case Surrogates:
		if !v.valid() {
			return ErrUTF8
		}
		err = e.str(string(v))
	case []byte:
		err = e.bytes(v)
	case ByteArray:
		err = e.byteArray(v)
	case *big.Int:
		err = e.big(v)
	}
	e.written(p)
	return err
}

// str writes a text that the caller has checked.
func (e *encoder) str(s string) error {
	err := e.sized(len(s), e.protocol >= 4, opShortBinUnicode, opBinUnicode, opBinUnicode8)
	e.buf = append(e.buf, s...)
	return err
}

func (e *encoder) bytes(b []byte) error {
	if e.protocol < 4 {
		return e.oldBytes(b)
	}
	err := e.sized(len(b), true, opShortBinBytes, opBinBytes, opBinBytes8)
	e.put(b...)
	return err
}

// sized writes the opcode for a text of n bytes, and the length.
func (e *encoder) sized(n int, protocol4 bool, short, medium, long byte) error {
	switch {
	case n < 256 && protocol4:
		e.put(short, byte(n))
	case int64(n) <= math.MaxUint32:
		e.buf = binary.LittleEndian.AppendUint32(append(e.buf, medium), uint32(n))
	case protocol4:
		e.buf = binary.LittleEndian.AppendUint64(append(e.buf, long), uint64(n))
	default:
		return limitf("%d bytes of text, too many for protocol 2", n)
	}
	return nil
}

// oldBytes writes bytes for protocol 2, which has no opcode for Python 3's bytes.
func (e *encoder) oldBytes(b []byte) error {
	if len(b) == 0 {
		return e.reduce(nil, classBytes, e.noArgs)
	}
	return e.reduce(nil, classEncode, func() error { return e.latin1(b, "latin1") })
}

// latin1 writes a tuple of a str, whose characters are the bytes, and an encoding.
func (e *encoder) latin1(b []byte, encoding string) error {
	s := make([]rune, len(b))
	for i, c := range b {
		s[i] = rune(c)
	}
	if err := e.str(string(s)); err != nil {
		return err
	}
	err := e.str(encoding)
	e.put(opTuple2)
	return err
}

func (e *encoder) byteArray(b ByteArray) error {
	return e.reduce(nil, classBytearray, func() error {
		switch {
		case len(b) == 0:
			return e.noArgs()
		case e.protocol < 4:
			return e.latin1(b, "latin-1")
		}
		err := e.bytes(b)
		e.put(opTuple1)
		return err
	})
}

func (e *encoder) noArgs() error {
	e.put(opEmptyTuple)
	return nil
}

// ---- calls ----

// reduce writes a call of a class with a tuple of arguments, which args writes.
func (e *encoder) reduce(p *place, callee Class, args func() error) error {
	if err := e.class(callee); err != nil {
		return err
	}
	if err := args(); err != nil {
		return err
	}
	e.put(opReduce)
	e.written(p)
	return nil
}

// call writes v if v is plain data that Python pickles as a call, and reports whether it
// is.
func (e *encoder) call(v any) (done bool, err error) {
	switch v := v.(type) {
	case Date:
		if !v.valid() {
			return true, valuef("the date %v", v)
		}
		return true, e.reduce(nil, classDate, func() error { return e.moment(v.bytes(), nil) })
	case TimeOfDay:
		if !v.valid() {
			return true, valuef("the time %v", v)
		}
		return true, e.reduce(nil, classTime, func() error { return e.moment(v.bytes(), e.zone(v.Zone)) })
	case DateTime:
		if !v.Date.valid() || !v.TimeOfDay.valid() {
			return true, valuef("the datetime %v", v)
		}
		return true, e.reduce(nil, classDateTime, func() error { return e.moment(v.bytes(), e.zone(v.Zone)) })
	case time.Time:
		return true, e.time(v)
	case time.Duration:
		d, err := deltaFrom(v)
		if err != nil {
			return true, err
		}
		return true, e.delta(d)
	case TimeDelta:
		if !v.valid() {
			return true, valuef("the timedelta %+v", v)
		}
		return true, e.delta(v)
	case Decimal:
		if _, ok := parseDecimal(string(v)); !ok {
			return true, valuef("the Decimal %.40q", string(v))
		}
		return true, e.reduce(nil, classDecimal, func() error {
			err := e.text(string(v))
			e.put(opTuple1)
			return err
		})
	}
	return false, nil
}

// moment writes the arguments of date, time and datetime.
func (e *encoder) moment(b []byte, zone func() error) error {
	if err := e.bytes(b); err != nil || zone == nil {
		e.put(opTuple1)
		return err
	}
	err := zone()
	e.put(opTuple2)
	return inside(err, ".Zone")
}

// zone returns a function that writes the tzinfo of a time, nil for a naive time.
func (e *encoder) zone(zone *Object) func() error {
	if zone == nil {
		return nil
	}
	return func() error { return e.value(zone) }
}

func (e *encoder) time(t time.Time) error {
	d, err := dateTimeFrom(t)
	if err != nil {
		return err
	}
	return e.reduce(nil, classDateTime, func() error {
		return e.moment(d.bytes(), func() error { return e.timezone(t) })
	})
}

// timezone writes the offset of an aware time as a datetime.timezone.
func (e *encoder) timezone(t time.Time) error {
	name, offset := "", 0
	if t.Location() != time.UTC {
		name = zoneName(t)
		_, offset = t.Zone()
	}
	delta, err := deltaFrom(time.Duration(offset) * time.Second)
	if err != nil {
		return err
	}
	if offset <= -24*60*60 || offset >= 24*60*60 {
		return valuef("an offset of %d seconds from UTC", offset)
	}
	return e.reduce(nil, classTimezone, func() error {
		if err := e.delta(delta); err != nil {
			return err
		}
		if name == "" {
			e.put(opTuple1)
			return nil
		}
		err := e.text(name)
		e.put(opTuple2)
		return err
	})
}

func (e *encoder) delta(d TimeDelta) error {
	return e.reduce(nil, classTimeDelta, func() error {
		for _, n := range []int{d.Days, d.Seconds, d.Microseconds} {
			if err := e.integer(int64(n)); err != nil {
				return err
			}
		}
		e.put(opTuple3)
		return nil
	})
}

// typeName returns a name for the type of a value, for a message: of Python's type, or
// else of Go's.
func typeName(v any) string {
	switch v.(type) {
	case []any:
		return "list"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case ByteArray:
		return "bytearray"
	case Tuple:
		return "a tuple with an unhashable item, or nested too deeply"
	}
	return fmt.Sprintf("%T", v)
}
