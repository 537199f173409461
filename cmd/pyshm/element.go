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

// elementText returns an element as Python prints the result of its method item: a record
// as a tuple, a sub-array as a list. A datetime64 or timedelta64 is a count in the unit
// of the dtype. The element is in this machine's byte order.
func elementText(d npy.Dtype, b []byte) (string, error) {
	return asRepr.element(d, b)
}

// A spelling of elements chooses the texts of floats and of complex numbers, by their
// bytes.
type spelling struct {
	float, complex func(b []byte) string
}

var (
	asRepr    = spelling{floatText, complexText}
	asLiteral = spelling{floatLiteral, complexLiteral} // what Python reads
)

func (s spelling) element(d npy.Dtype, b []byte) (string, error) {
	switch d.Kind() {
	case npy.KindRecord:
		return s.record(d, b)
	case npy.KindSubarray:
		text, _, err := s.subarray(d.Elem(), d.Shape(), b)
		return text, err
	case npy.KindText:
		runes := make([]rune, len(b)/4)
		for i := range runes {
			runes[i] = rune(binary.NativeEndian.Uint32(b[4*i:]))
		}
		text, err := npy.GetText(runes)
		return format.Repr(text), err
	case npy.KindBytes:
		return format.Repr(bytes.TrimRight(b, "\x00")), nil
	case npy.KindBool:
		return format.Repr(b[0] != 0), nil
	case npy.KindInt, npy.KindDatetime, npy.KindTimedelta:
		return strconv.FormatInt(signed(b), 10), nil
	case npy.KindUint:
		return strconv.FormatUint(word(b), 10), nil
	case npy.KindFloat:
		if len(b) <= 8 {
			return s.float(b), nil
		}
	case npy.KindComplex:
		if len(b) <= 16 {
			return s.complex(b), nil
		}
	}
	return format.Repr(bytes.Clone(b)), nil // void and long doubles
}

func (s spelling) record(d npy.Dtype, b []byte) (string, error) {
	fields := d.Fields()
	parts := make([]string, len(fields))
	for i, f := range fields {
		var err error
		if parts[i], err = s.element(f.Dtype, b[f.Offset:f.Offset+f.Dtype.Size()]); err != nil {
			return "", err
		}
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)", nil
	}
	return "(" + strings.Join(parts, ", ") + ")", nil
}

// subarray returns the text of the elements, and the rest of b behind them.
func (s spelling) subarray(elem npy.Dtype, shape []int, b []byte) (text string, rest []byte, err error) {
	if len(shape) == 0 {
		text, err = s.element(elem, b[:elem.Size()])
		return text, b[elem.Size():], err
	}
	parts := make([]string, shape[0])
	for i := range parts {
		if parts[i], b, err = s.subarray(elem, shape[1:], b); err != nil {
			return "", nil, err
		}
	}
	return "[" + strings.Join(parts, ", ") + "]", b, nil
}

// signed returns an int of 1, 2, 4 or 8 bytes.
func signed(b []byte) int64 {
	shift := 64 - 8*len(b)
	return int64(word(b)<<shift) >> shift
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

// elementBytes returns the element for a LITERAL argument, in this machine's byte order.
func elementBytes(cmd *cobra.Command, d npy.Dtype, arg string) ([]byte, error) {
	b := make([]byte, d.Size())
	if putUnparsed(d, b, arg) { // what no literal of a list can be
		return b, nil
	}
	v, err := parseLiteral(cmd, arg)
	if err != nil {
		return nil, err
	}
	wanted := ""
	switch d.Kind() {
	case npy.KindInt, npy.KindDatetime, npy.KindTimedelta, npy.KindUint:
		wanted = putInt(b, v, d.Kind() == npy.KindUint)
	case npy.KindFloat, npy.KindComplex:
		wanted = putNumber(b, v, d.Kind() == npy.KindComplex)
	case npy.KindBool, npy.KindBytes, npy.KindText:
		wanted = putOther(b, v, d.Kind())
	default:
		wanted = "not a number or a text, which is what set changes"
	}
	if wanted != "" {
		return nil, usagef("LITERAL %s: an element of dtype %s is %s", format.Repr(v), d.Name(), wanted)
	}
	return b, nil
}

// putUnparsed stores a number that format.ParseRepr does not read: a complex one, or one
// beyond int64.
func putUnparsed(d npy.Dtype, b []byte, arg string) bool {
	switch {
	case d.Kind() == npy.KindComplex && len(b) <= 16:
		c, err := strconv.ParseComplex(strings.Replace(strings.Trim(arg, "()"), "j", "i", 1), 128)
		if err == nil {
			putFloat(b[:len(b)/2], real(c))
			putFloat(b[len(b)/2:], imag(c))
		}
		return err == nil
	case d.Kind() == npy.KindUint && len(b) == 8:
		u, err := strconv.ParseUint(arg, 10, 64)
		if err == nil {
			putWord(b, u)
		}
		return err == nil
	}
	return false
}

// putInt stores a literal, or returns what is wanted instead.
func putInt(b []byte, v any, unsigned bool) (wanted string) {
	n, ok := v.(int64)
	shift := 64 - 8*len(b)
	if unsigned {
		if !ok || n < 0 || uint64(n)<<shift>>shift != uint64(n) {
			return "a non-negative int of its size"
		}
	} else if !ok || n<<shift>>shift != n {
		return "an int of its size"
	}
	putWord(b, uint64(n))
	return ""
}

func putNumber(b []byte, v any, isComplex bool) (wanted string) {
	f, ok := v.(float64)
	if n, isInt := v.(int64); isInt {
		f, ok = float64(n), true
	}
	switch {
	case isComplex && len(b) <= 16:
		return "a complex number, such as 1.5-2j"
	case isComplex || len(b) > 8:
		return "a long double, which cannot be set"
	case !ok:
		return "a number"
	}
	putFloat(b, f)
	return ""
}

func putOther(b []byte, v any, kind npy.Kind) (wanted string) {
	switch v := v.(type) {
	case bool:
		if kind == npy.KindBool {
			copy(b, map[bool]string{false: "\x00", true: "\x01"}[v])
			return ""
		}
	case []byte:
		if kind == npy.KindBytes && len(v) <= len(b) && !bytes.HasSuffix(v, []byte{0}) {
			copy(b, v)
			return ""
		}
	case string:
		if kind == npy.KindText {
			return putText(b, v)
		}
	}
	return map[npy.Kind]string{
		npy.KindBool:  "True or False",
		npy.KindBytes: "bytes that fit and do not end in NUL, which numpy would strip",
		npy.KindText:  `a str, which to the shell is "'text'"`,
	}[kind]
}

func putText(b []byte, s string) (wanted string) {
	runes := make([]rune, len(b)/4)
	if err := npy.PutText(runes, s); err != nil {
		return "a str that fits: " + errors.Unwrap(err).Error()
	}
	for i, r := range runes {
		binary.NativeEndian.PutUint32(b[4*i:], uint32(r))
	}
	return ""
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
