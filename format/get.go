package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/internal/words"
)

// Get returns item i, as the Go type in the package's table. A str or bytes is a
// copy, without the NULs at its end.
func (l *List) Get(i int) (any, error) {
	if uint(i) < uint(l.n) {
		if start, end, ok := l.slot(i); ok {
			if v, ok := l.peekValue(i, start, end); ok {
				return v, nil
			}
		}
	}
	at, err := l.span(i)
	var v any
	if err == nil {
		v, err = l.get(i, at, &backoff{})
	}
	return v, itemErr("get", i, err)
}

func (l *List) get(i int, at span, pause *backoff) (any, error) {
	var v any
	var err error
	r := reading{header: header{span: at}, list: l, i: i}
	for r.again(pause) {
		v, err = l.value(r.header)
	}
	if r.err != nil {
		err = r.err
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// peekValue reads item i, whose slot reaches from start to end in the data area, in words,
// if at the first look it is an int, a float, or text in a small slot. When it fails, a
// reading finds out why.
func (l *List) peekValue(i int, start, end uint64) (any, bool) {
	code, word := l.codes[i], words.Load64(&l.formats[i])
	if code == codeNumber {
		bits := words.Load64(&l.data[start])
		switch isNumber := words.Load64(&l.formats[i]) == word && l.codes[i] == codeNumber; {
		case isNumber && word == formatInt:
			return int64(bits), true
		case isNumber && word == formatFloat:
			return math.Float64frombits(bits), true
		}
		return nil, false
	}
	size := end - start
	if size > smallSlot || word != smallFormats[size] {
		return nil, false
	}
	words.OrderLoads()
	text := withoutNULs(l.slotBytes(span{int(start) * wordSize, int(size) * wordSize}))
	switch code {
	case codeStr:
		s := string(text)
		return s, l.isStill(i, word, code) && isUTF8String(s)
	case codeBytes:
		b := bytes.Clone(text)
		return b, l.isStill(i, word, code)
	}
	return nil, false
}

// value reads the slot as the kind in its header.
func (l *List) value(h header) (any, error) {
	switch h.kind {
	case None:
		return nil, nil
	case Bool:
		return words.Load64(l.slotWord(h.span))&boolByte != 0, nil
	case Int:
		return int64(words.Load64(l.slotWord(h.span))), nil
	case Float:
		return math.Float64frombits(words.Load64(l.slotWord(h.span))), nil
	case Bytes:
		return bytes.Clone(l.text(h)), nil
	default:
		s := string(l.text(h))
		if !utf8.ValidString(s) { // check the copy: memory may change
			return nil, ErrUTF8
		}
		return s, nil
	}
}

// text returns the bytes of a str or bytes item, in place and without the NULs
// at their end. It is never nil. For another kind it is empty.
func (l *List) text(h header) []byte {
	return withoutNULs(l.slotBytes(h.span)[:h.text])
}

// withoutNULs cuts off the NULs at the end of b.
func withoutNULs(b []byte) []byte {
	for len(b) >= wordSize {
		last := binary.LittleEndian.Uint64(b[len(b)-wordSize:])
		if last != 0 {
			return b[:len(b)-bits.LeadingZeros64(last)/8]
		}
		b = b[:len(b)-wordSize]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// Int returns item i, which must be an int.
func (l *List) Int(i int) (int64, error) {
	bits, err := l.number(i, formatInt, nil)
	return int64(bits), err
}

// Float returns item i, which must be a float.
func (l *List) Float(i int) (float64, error) {
	bits, err := l.number(i, formatFloat, nil)
	return math.Float64frombits(bits), err
}

// Bool returns item i, which must be a bool.
func (l *List) Bool(i int) (bool, error) {
	bits, err := l.number(i, formatBool, nil)
	return bits&boolByte != 0, err
}

// number reads the word of item i, which must have the given format, of a number or bool.
// It looks once, for the usual case, in which the item has this format and a valid slot
// and code. When that fails, awaitNumber finds out why. pause may be nil.
func (l *List) number(i int, format uint64, pause *backoff) (uint64, error) {
	if uint(i) < uint(len(l.formats)) {
		word, code := &l.formats[i], &l.codes[i]
		start, _, ok := l.slot(i)
		if ok && words.Load64(word) == format && *code == codeNumber {
			bits := words.Load64(&l.data[start])
			if words.Load64(word) == format && *code == codeNumber {
				return bits, nil
			}
		}
	}
	return l.awaitNumber(i, format, pause)
}

// peekText returns the text of item i in place, without the NULs at its end, and the
// item's format word, if at the first look the item has the code, of a str or bytes, and
// a small slot, all of it text. It is like peek, but the caller has to copy the text and
// then look whether it isStill the item's. When it fails, the format word is 0.
func (l *List) peekText(i int, code int8) (text []byte, word uint64) {
	if uint(i) >= uint(len(l.formats)) {
		return nil, 0
	}
	start, end, ok := l.slot(i)
	size := end - start
	if !ok || size > smallSlot {
		return nil, 0
	}
	word = smallFormats[size]
	if words.Load64(&l.formats[i]) != word || l.codes[i] != code {
		return nil, 0
	}
	words.OrderLoads()
	return withoutNULs(l.slotBytes(span{int(start) * wordSize, int(size) * wordSize})), word
}

// isStill reports whether item i has the format word and the code at the second look.
func (l *List) isStill(i int, word uint64, code int8) bool {
	words.OrderLoads()
	return words.Load64(&l.formats[i]) == word && l.codes[i] == code
}

// awaitNumber is number for an item that may be in the middle of a write.
func (l *List) awaitNumber(i int, format uint64, pause *backoff) (uint64, error) {
	if pause == nil {
		pause = new(backoff)
	}
	k, _, _ := classify(format, codeNumber, wordSize)
	for {
		h, err := l.header(i, pause)
		switch {
		case err != nil:
			return 0, itemErr("get", i, err)
		case h.kind != k:
			return 0, itemErr("get", i, kindErr(h.kind, k))
		}
		bits := words.Load64(l.slotWord(h.span))
		switch {
		case l.unchanged(i, h):
			return bits, nil
		case !pause.again(l.patience):
			return 0, itemErr("get", i, errChanging)
		}
	}
}

func kindErr(is, want Kind) error {
	return fmt.Errorf("%w: %v, not %v", ErrKind, is, want)
}

// Str returns item i, which must be a str.
func (l *List) Str(i int) (string, error) {
	if text, word := l.peekText(i, codeStr); word != 0 {
		s := string(text)
		if l.isStill(i, word, codeStr) && isUTF8String(s) {
			return s, nil
		}
	}
	var s string
	var pause backoff
	r := l.reading(i, Str)
	for r.again(&pause) {
		s = string(l.text(r.header))
	}
	if r.err == nil && !utf8.ValidString(s) { // check the copy: memory may change
		r.err = ErrUTF8
	}
	if r.err != nil {
		return "", itemErr("get", i, r.err)
	}
	return s, nil
}

// Bytes returns a copy of item i, which must be a bytes.
func (l *List) Bytes(i int) ([]byte, error) {
	var c []byte
	var pause backoff
	r := l.reading(i, Bytes)
	for r.again(&pause) {
		c = bytes.Clone(l.text(r.header))
	}
	if r.err != nil {
		return nil, itemErr("get", i, r.err)
	}
	return c, nil
}

// AppendStr appends item i, which must be a str, to dst. Unlike [List.Str] it
// allocates nothing if dst has room. On error it returns dst unchanged.
func (l *List) AppendStr(dst []byte, i int) ([]byte, error) {
	if text, word := l.peekText(i, codeStr); word != 0 {
		out := append(dst, text...)
		if l.isStill(i, word, codeStr) && isUTF8(out[len(dst):]) {
			return out, nil
		}
	}
	out := dst
	var pause backoff
	r := l.reading(i, Str)
	for r.again(&pause) {
		out = append(dst, l.text(r.header)...)
	}
	if r.err == nil && !utf8.Valid(out[len(dst):]) {
		r.err = ErrUTF8
	}
	if r.err != nil {
		return dst, itemErr("get", i, r.err)
	}
	return out, nil
}

// RawBytes returns a copy of the whole slot of item i, of any kind. It includes the
// NULs at the slot's end and the bytes that a longer value has left there.
func (l *List) RawBytes(i int) ([]byte, error) {
	at, err := l.span(i)
	if err != nil {
		return nil, itemErr("get", i, err)
	}
	return bytes.Clone(l.slotBytes(at)), nil
}

// Values returns all the items, or the error of the first item that cannot be read.
func (l *List) Values() ([]any, error) { return l.values("get") }

func (l *List) values(op string) ([]any, error) {
	vs := make([]any, 0, min(l.n, 1024)) // more as items prove good: see attachSizes
	for c := (Cursor{op: op, list: l, left: l.dataSize()}); c.More(); {
		if room := cap(vs) - len(vs); room < runLength {
			more := max(len(vs), room+l.numbersFrom(c.next))
			vs = slices.Grow(vs, min(more, l.n-len(vs)))
		}
		var ok bool
		if vs, ok = c.appendNumbers(vs); ok {
			continue
		}
		for range min(toRunEnd(c.next), l.n-c.next) {
			v, err := c.Next()
			if err != nil {
				return nil, err
			}
			vs = append(vs, v)
		}
	}
	return vs, nil
}

// CopyInts copies the items from index from on into dst, until dst is full or
// the list ends, and returns how many it copied. It stops with an error at the
// first item of another kind than int. from may be the list's length.
func (l *List) CopyInts(dst []int64, from int) (int, error) {
	return l.copyNumbers(numbersOf(dst), from, Int)
}

// CopyFloats is [List.CopyInts] for items that are floats.
func (l *List) CopyFloats(dst []float64, from int) (int, error) {
	return l.copyNumbers(numbersOf(dst), from, Float)
}

func (l *List) copyNumbers(dst []uint64, from int, k Kind) (int, error) {
	if from < 0 || from > l.n {
		return 0, itemErr("get", from, l.indexErr(from))
	}
	dst = dst[:min(len(dst), l.n-from)]
	var pause backoff
	for i := 0; i < len(dst); {
		if n := l.copyRun(dst[i:], from+i, k); n > 0 {
			i += n
			continue
		}
		for end := min(i+toRunEnd(from+i), len(dst)); i < end; i++ {
			pause.next()
			bits, err := l.number(from+i, formatFor(k, wordSize), &pause)
			if err != nil {
				return i, err
			}
			dst[i] = bits
		}
	}
	return len(dst), nil
}
