package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
)

const maxInt = math.MaxInt

// elementText returns an element as Python prints the result of its method item: a record
// as a tuple, a sub-array as a list. A datetime64 or timedelta64 is a count in the unit
// of the dtype. The element is in this machine's byte order.
func elementText(d npy.Dtype, b []byte) (string, error) {
	switch d.Kind() {
	case npy.KindRecord:
		return recordText(d, b)
	case npy.KindSubarray:
		text, _, err := subarrayText(d.Elem(), d.Shape(), b)
		return text, err
	case npy.KindText:
		runes := make([]rune, len(b)/4)
		for i := range runes {
			runes[i] = rune(binary.NativeEndian.Uint32(b[4*i:]))
		}
		s, err := npy.GetText(runes)
		return format.Repr(s), err
	case npy.KindBytes:
		return format.Repr(bytes.TrimRight(b, "\x00")), nil
	case npy.KindBool:
		return format.Repr(b[0] != 0), nil
	case npy.KindInt, npy.KindDatetime, npy.KindTimedelta:
		shift := 64 - 8*len(b)
		return strconv.FormatInt(int64(word(b)<<shift)>>shift, 10), nil
	case npy.KindUint:
		return strconv.FormatUint(word(b), 10), nil
	case npy.KindFloat:
		if len(b) <= 8 {
			return floatText(b), nil
		}
	case npy.KindComplex:
		if len(b) <= 16 {
			return complexText(b), nil
		}
	}
	return format.Repr(bytes.Clone(b)), nil // void and long doubles
}

func recordText(d npy.Dtype, b []byte) (string, error) {
	fields := d.Fields()
	parts := make([]string, len(fields))
	for i, f := range fields {
		var err error
		if parts[i], err = elementText(f.Dtype, b[f.Offset:f.Offset+f.Dtype.Size()]); err != nil {
			return "", err
		}
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)", nil
	}
	return "(" + strings.Join(parts, ", ") + ")", nil
}

// subarrayText returns the text of the elements, and the rest of b behind them.
func subarrayText(elem npy.Dtype, shape []int, b []byte) (text string, rest []byte, err error) {
	if len(shape) == 0 {
		text, err = elementText(elem, b[:elem.Size()])
		return text, b[elem.Size():], err
	}
	parts := make([]string, shape[0])
	for i := range parts {
		if parts[i], b, err = subarrayText(elem, shape[1:], b); err != nil {
			return "", nil, err
		}
	}
	return "[" + strings.Join(parts, ", ") + "]", b, nil
}

// word returns a number of 1, 2, 4 or 8 bytes.
func word(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	default:
		return binary.NativeEndian.Uint64(b)
	}
}

// floatText returns the fewest digits that give the number again in its own precision,
// as numpy prints it, in Python's spelling.
func floatText(b []byte) string {
	switch len(b) {
	case 2:
		return shortest(float64(npy.Float16(word(b)).Float32()), func(s float64) bool {
			return uint64(npy.Float16Of(float32(s))) == word(b)
		})
	case 4:
		v := math.Float32frombits(uint32(word(b)))
		s, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
		return format.Repr(s)
	default:
		return format.Repr(math.Float64frombits(word(b)))
	}
}

// shortest returns a number with the fewest digits that are still the same number.
func shortest(v float64, same func(float64) bool) string {
	for digits := 1; digits < 17; digits++ {
		if s, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64); err == nil && same(s) {
			return format.Repr(s)
		}
	}
	return format.Repr(v)
}

// complexText returns Python's repr of a complex number.
func complexText(b []byte) string {
	half := len(b) / 2
	re, im := floatText(b[:half]), strings.TrimSuffix(floatText(b[half:]), ".0")+"j"
	if re == "0.0" {
		return im
	}
	if im[0] != '-' {
		im = "+" + im
	}
	return "(" + strings.TrimSuffix(re, ".0") + im + ")"
}

// elementBytes returns the element for a VALUE argument, in this machine's byte order.
func elementBytes(cmd *cobra.Command, d npy.Dtype, arg string) ([]byte, error) {
	b := make([]byte, d.Size())
	refuse := func(why string) ([]byte, error) {
		return nil, usagef("VALUE %s: an element of dtype %s is %s", arg, d.Name(), why)
	}
	if d.Kind() == npy.KindComplex && d.Size() <= 16 {
		c, err := strconv.ParseComplex(strings.Replace(strings.Trim(arg, "()"), "j", "i", 1), 128)
		if err != nil {
			return refuse("a complex number, such as 1.5-2j")
		}
		putFloat(b[:len(b)/2], real(c))
		putFloat(b[len(b)/2:], imag(c))
		return b, nil
	}
	if u, err := strconv.ParseUint(arg, 10, 64); err == nil && d.Kind() == npy.KindUint && u > math.MaxInt64 && len(b) == 8 {
		binary.NativeEndian.PutUint64(b, u)
		return b, nil
	}
	v, err := parseLiteral(cmd, arg)
	if err != nil {
		return nil, err
	}
	switch n, isInt := v.(int64); d.Kind() {
	case npy.KindInt, npy.KindDatetime, npy.KindTimedelta:
		if shift := 64 - 8*len(b); isInt && n<<shift>>shift == n {
			putWord(b, uint64(n))
			return b, nil
		}
		return refuse("an int of its size")
	case npy.KindUint:
		if isInt && n >= 0 && uint64(n)<<(64-8*len(b))>>(64-8*len(b)) == uint64(n) {
			putWord(b, uint64(n))
			return b, nil
		}
		return refuse("a non-negative int of its size")
	case npy.KindFloat:
		f, isFloat := v.(float64)
		if isInt {
			f, isFloat = float64(n), true
		}
		if !isFloat || len(b) > 8 {
			return refuse("a number; a long double cannot be set")
		}
		putFloat(b, f)
		return b, nil
	case npy.KindBool:
		if is, ok := v.(bool); ok {
			if is {
				b[0] = 1
			}
			return b, nil
		}
		return refuse("True or False")
	case npy.KindBytes:
		if s, ok := v.([]byte); ok && len(s) <= len(b) && !bytes.HasSuffix(s, []byte{0}) {
			copy(b, s)
			return b, nil
		}
		return refuse("bytes that fit and do not end in NUL, which numpy would strip")
	case npy.KindText:
		s, ok := v.(string)
		if !ok {
			return refuse(`a str, which to the shell is "'text'"`)
		}
		runes := make([]rune, len(b)/4)
		if err := npy.PutText(runes, s); err != nil {
			return nil, usageError{errors.Unwrap(err)}
		}
		for i, r := range runes {
			binary.NativeEndian.PutUint32(b[4*i:], uint32(r))
		}
		return b, nil
	}
	return refuse("not a number or a text, which is what set changes")
}

func putWord(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.NativeEndian.PutUint16(b, uint16(v))
	case 4:
		binary.NativeEndian.PutUint32(b, uint32(v))
	default:
		binary.NativeEndian.PutUint64(b, v)
	}
}

// putFloat stores a number in the precision of b.
func putFloat(b []byte, f float64) {
	switch len(b) {
	case 2:
		putWord(b, uint64(npy.Float16Of(float32(f))))
	case 4:
		putWord(b, uint64(math.Float32bits(float32(f))))
	default:
		putWord(b, math.Float64bits(f))
	}
}
