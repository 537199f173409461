package npy

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	magic = "\x93NUMPY"
	unit  = 64 // the data begins at a multiple of it
	page  = 4096
)

// A Header describes the data behind it.
type Header struct {
	Dtype   Dtype
	Shape   []int // lengths of the axes; none for a single element
	Fortran bool  // the first axis varies fastest, not the last
}

// ParseHeader reads the header at the beginning of buf: versions 1.0, 2.0 and 3.0.
// offset is where the data begins. The data itself need not be in buf; compare
// [Header.Size] with the bytes that are there.
//
// Other processes may write anything. Whatever buf holds, ParseHeader returns a header
// that numpy reads in the same way, or an error. The error is [ErrIncomplete] if the
// rest may still come. The text is copied once, and nothing is evaluated. Limits: 10,000
// bytes of text, [MaxDims] axes, the limits of [ParseDtype], and no more bytes of data
// than fit an int. ParseHeader also refuses some headers that numpy reads, but never
// writes.
func ParseHeader(buf []byte) (h Header, offset int, err error) {
	text, start, version, err := headerText(buf)
	if err != nil {
		return Header{}, 0, &Error{Op: "parse header", Offset: -1, Err: err}
	}
	s := scanner{text: text, longs: version < 3}
	h = s.header()
	if s.err == nil {
		_, err := h.size()
		s.failWith(err)
	}
	at := func(pos int) int { // in buf, where only version 3 has characters of several bytes
		if version < 3 {
			pos = utf8.RuneCountInString(text[:pos])
		}
		return start + pos
	}
	if s.err != nil {
		return Header{}, 0, &Error{Op: "parse header", Offset: at(s.errPos), Err: s.err}
	}
	return h, at(len(text)), nil
}

// headerText returns a copy of the text, as UTF-8, and where it begins in buf.
func headerText(buf []byte) (text string, start, version int, err error) {
	var fixed [12]byte // other processes may write meanwhile
	n := copy(fixed[:], buf)
	begins, zeros := beginning(fixed[:min(n, len(magic))])
	switch {
	case !begins, zeros && n > 7 && fixed[7] != 0: // the minor number of each version is 0
		return "", 0, 0, reasonf(ErrHeader, "it does not begin with %q", magic)
	case zeros || n > 6 && fixed[6] == 0:
		return "", 0, 0, reasonf(ErrIncomplete, "zeros stand where the header begins: it is not written yet")
	case n < 10:
		return "", 0, 0, reasonf(ErrIncomplete, "%d bytes are less than a header has", n)
	}
	version, start = int(fixed[6]), 10
	length := int(binary.LittleEndian.Uint16(fixed[8:]))
	switch {
	case version < 1 || version > 3 || fixed[7] != 0:
		return "", 0, 0, reasonf(ErrHeader, "unknown version %d.%d", fixed[6], fixed[7])
	case version > 1 && n < 12:
		return "", 0, 0, reasonf(ErrIncomplete, "%d bytes are less than a header has", n)
	case version > 1:
		start, length = 12, int(min(binary.LittleEndian.Uint32(fixed[8:]), math.MaxInt32))
	}
	if length == 0 {
		return "", 0, 0, reasonf(ErrIncomplete, "the length of the text is zero: it is not written yet")
	}
	if length > maxText {
		return "", 0, 0, reasonf(ErrHeader, "a text of %d bytes: numpy reads %d at most", length, maxText)
	}
	if length > len(buf)-start {
		return "", 0, 0, reasonf(ErrIncomplete, "%d bytes of text are announced, and %d are there", length, len(buf)-start)
	}
	text = string(buf[start : start+length])
	switch {
	case strings.Contains(text, "\x00"):
		return "", 0, 0, reasonf(ErrIncomplete, "zeros stand where the text should be: it is not written yet")
	case version == 3 && !utf8.ValidString(text):
		return "", 0, 0, reasonf(ErrHeader, "the text is not valid UTF-8")
	case version < 3:
		text = fromLatin1(text)
	}
	return text, start, version, nil
}

// beginning reports whether b is the beginning of the magic, and whether zeros stand for
// a part of it. The words of a header that another process is writing become visible in
// any order: C's memcpy may store the first word last.
func beginning(b []byte) (begins, zeros bool) {
	for i, c := range b {
		switch c {
		case magic[i]:
		case 0:
			zeros = true
		default:
			return false, zeros
		}
	}
	return true, zeros
}

// fromLatin1 returns the UTF-8 of a text with a byte for each character.
func fromLatin1(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return s
	}
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = utf8.AppendRune(b, rune(s[i]))
	}
	return string(b)
}

// header reads a dict of three keys in any order.
func (s *scanner) header() (h Header) {
	if !strings.HasPrefix(s.text, "{") {
		s.fail(ErrHeader, "the text is no dict")
	}
	s.expect('{')
	seen := make([]string, 0, 3)
	s.items('}', func() {
		key := s.str()
		s.expect(':')
		if slices.Contains(seen, key) {
			s.fail(ErrHeader, "%s is given twice", excerpt(key))
			return
		}
		switch key {
		case "descr":
			if s.peek() == '(' {
				s.fail(ErrDtype, "elements that are sub-arrays: numpy writes their axes into the shape")
			}
			h.Dtype = s.descr(0, false)
		case "fortran_order":
			if h.Fortran = s.word("True"); !h.Fortran && !s.word("False") {
				s.fail(ErrHeader, "fortran_order is True or False")
			}
		case "shape":
			h.Shape = s.shape()
		default:
			s.fail(ErrHeader, "a header has no key %s", excerpt(key))
			return
		}
		seen = append(seen, key)
	})
	if len(seen) < 3 {
		s.fail(ErrHeader, "one of descr, fortran_order and shape is missing")
	}
	s.end()
	return h
}

// AppendHeader appends the header of an array, which every numpy from 1.17 on opens. The
// text is the text that numpy writes: version 1.0, ASCII, and spaces until the data
// begins at a multiple of 64, counted from the start of the header. The zero Header is
// refused.
//
// The axes of a [KindSubarray] dtype become axes of the array, as in numpy. Fortran is
// written as False if it makes no difference. Names that are not ASCII and texts beyond
// 10,000 bytes are refused, because not every numpy reads them.
func AppendHeader(dst []byte, h Header) ([]byte, error) {
	fail := func(kind error, format string, args ...any) ([]byte, error) {
		return dst, failf("append header", "", kind, format, args...)
	}
	h, err := h.flat()
	if err != nil {
		return dst, &Error{Op: "append header", Offset: -1, Err: err}
	}
	size, err := h.size()
	if err != nil {
		return dst, &Error{Op: "append header", Offset: -1, Err: err}
	}
	order := "False"
	if h.Fortran && !h.contiguous() {
		order = "True"
	}
	b := append(slices.Grow(dst, 2*unit), magic+"\x01\x00\x00\x00{'descr': "...)
	b = append(append(h.Dtype.appendDescr(b), ", 'fortran_order': "...), order...)
	b = append(appendShape(append(b, ", 'shape': "...), h.Shape), ", }"...)
	length := (len(b)-len(dst)+1)/unit*unit + unit - 10 // one space at least, as numpy
	if size == 0 && (10+length)%page == 0 {
		length += unit // numpy up to 2.0 cannot map nothing at the end of a file
	}
	if length > maxText {
		return fail(ErrDtype, "a text of %d bytes: numpy reads %d at most", length, maxText)
	}
	if i := bytes.IndexFunc(b[len(dst)+len(magic):], func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
		return fail(ErrDtype, "the dtype has a field whose name is not ASCII, which some numpys do not read")
	}
	b = append(b, bytes.Repeat([]byte{' '}, 10+length-(len(b)-len(dst))-1)...)
	binary.LittleEndian.PutUint16(b[len(dst)+8:], uint16(length))
	return append(b, '\n'), nil
}

// flat returns h with the axes of its elements as axes of its own.
func (h Header) flat() (Header, error) {
	if h.Dtype.kind != KindSubarray {
		return h, nil
	}
	if h.Fortran && len(h.Shape) > 0 {
		return h, reasonf(ErrShape, "elements that are sub-arrays are in C order: the array cannot be in Fortran order")
	}
	return Header{Dtype: h.Dtype.parts.elem, Shape: slices.Concat(h.Shape, h.Dtype.parts.shape)}, nil
}

// contiguous reports whether Fortran order is the same as C order: at most one axis
// is longer than 1, or there are no elements.
func (h Header) contiguous() bool {
	long := 0
	for _, n := range h.Shape {
		if n == 0 {
			return true
		}
		if n > 1 {
			long++
		}
	}
	return long <= 1
}

// Len returns the number of elements. It fails as [Header.Size] does.
func (h Header) Len() (int, error) {
	size, err := h.Size()
	if err != nil {
		return 0, err
	}
	return size / h.Dtype.size, nil
}

// Size returns how many bytes of data follow the header. It fails with [ErrShape] if
// there are more than [MaxDims] axes, a negative length, or more bytes than fit an int.
// Axes of length 0 are left out of that count, as in numpy, so that the strides fit an
// int too. Size fails with [ErrDtype] for the zero Dtype.
func (h Header) Size() (int, error) {
	size, err := h.size()
	if err != nil {
		return 0, &Error{Op: "size", Offset: -1, Err: err}
	}
	return size, nil
}

func (h Header) size() (int, error) {
	if h.Dtype.kind == 0 {
		return 0, reasonf(ErrDtype, "the header has no dtype")
	}
	if len(h.Shape) > MaxDims {
		return 0, reasonf(ErrShape, "%d axes are more than %d", len(h.Shape), MaxDims)
	}
	size, empty := uint(h.Dtype.size), false
	for i, n := range h.Shape {
		if n < 0 {
			return 0, reasonf(ErrShape, "axis %d has length %d", i, n)
		}
		if n == 0 {
			empty = true
			continue
		}
		high, low := bits.Mul(size, uint(n))
		if high > 0 || low > math.MaxInt {
			return 0, reasonf(ErrShape, "the array has more bytes than fit an int")
		}
		size = low
	}
	if empty {
		return 0, nil
	}
	return int(size), nil
}

// Strides returns the distance in bytes from one element to the next along each axis.
// Call it only if [Header.Size] does not fail.
func (h Header) Strides() []int {
	strides := make([]int, len(h.Shape))
	step := h.Dtype.size
	for i := range strides {
		axis := len(strides) - 1 - i
		if h.Fortran {
			axis = i
		}
		strides[axis] = step
		step *= max(1, h.Shape[axis])
	}
	return strides
}
