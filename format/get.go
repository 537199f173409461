package format

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/internal/words"
)

// Get returns item i, as the Go type in the package's table. A str or bytes is a
// copy, without the NULs at its end.
func (l *List) Get(i int) (any, error) {
	at, err := l.span(i)
	var v any
	if err == nil {
		v, err = l.get(i, at, &backoff{})
	}
	return v, itemErr("get", i, err)
}

func (l *List) get(i int, at span, pause *backoff) (v any, err error) {
	err = l.rereadSlot(i, at, pause, func(h header) (err error) {
		v, err = l.value(h)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
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
// at their end. It is never nil.
func (l *List) text(h header) []byte {
	b := l.slotBytes(h.span)[:h.text]
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}

// Int returns item i, which must be an int.
func (l *List) Int(i int) (int64, error) {
	if bits, ok := l.peek(i, formatInt); ok {
		return int64(bits), nil
	}
	bits, err := l.number(i, Int, &backoff{})
	return int64(bits), err
}

// Float returns item i, which must be a float.
func (l *List) Float(i int) (float64, error) {
	if bits, ok := l.peek(i, formatFloat); ok {
		return math.Float64frombits(bits), nil
	}
	bits, err := l.number(i, Float, &backoff{})
	return math.Float64frombits(bits), err
}

// Bool returns item i, which must be a bool.
func (l *List) Bool(i int) (bool, error) {
	bits, err := l.number(i, Bool, &backoff{})
	return bits&boolByte != 0, err
}

// peek reads the word of item i, if at the first look the item has the given format,
// of a number or bool, and a valid slot and code. It is the short way for the usual
// case. When it fails, number finds out why.
func (l *List) peek(i int, format uint64) (bits uint64, ok bool) {
	if uint(i) >= uint(len(l.formats)) {
		return 0, false
	}
	start, end := words.Load64(&l.offsets[i]), words.Load64(&l.offsets[i+1])
	if !l.isSlot(start, end) || words.Load64(&l.formats[i]) != format || l.codes[i] != codeNumber {
		return 0, false
	}
	bits = words.Load64(&l.data[start/wordSize])
	return bits, words.Load64(&l.formats[i]) == format && l.codes[i] == codeNumber
}

// number reads the word of item i, which must be of kind k.
func (l *List) number(i int, k Kind, pause *backoff) (uint64, error) {
	for {
		if bits, ok := l.peek(i, formatFor(k, wordSize)); ok {
			return bits, nil
		}
		h, err := l.header(i, pause)
		switch {
		case err != nil:
			return 0, itemErr("get", i, err)
		case h.kind != k:
			return 0, itemErr("get", i, kindErr(h.kind, k))
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
	var s string
	err := l.readText(i, Str, func(b []byte) { s = string(b) })
	if err == nil && !utf8.ValidString(s) {
		err = ErrUTF8
	}
	if err != nil {
		return "", itemErr("get", i, err)
	}
	return s, nil
}

// Bytes returns a copy of item i, which must be a bytes.
func (l *List) Bytes(i int) ([]byte, error) {
	var c []byte
	if err := l.readText(i, Bytes, func(b []byte) { c = bytes.Clone(b) }); err != nil {
		return nil, itemErr("get", i, err)
	}
	return c, nil
}

// AppendStr appends item i, which must be a str, to dst. Unlike [List.Str] it
// allocates nothing if dst has room. On error it returns dst unchanged.
func (l *List) AppendStr(dst []byte, i int) ([]byte, error) {
	out := dst
	err := l.readText(i, Str, func(b []byte) { out = append(dst, b...) })
	if err == nil && !utf8.Valid(out[len(dst):]) {
		err = ErrUTF8
	}
	if err != nil {
		return dst, itemErr("get", i, err)
	}
	return out, nil
}

// readText calls use with the text of item i, which must be of kind k, once or
// several times. The last call counts.
func (l *List) readText(i int, k Kind, use func(b []byte)) error {
	var pause backoff
	return l.reread(i, &pause, func(h header) error {
		if h.kind != k {
			return kindErr(h.kind, k)
		}
		use(l.text(h))
		return nil
	})
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
	vs := make([]any, 0, min(l.n, 1024)) // doubled as items prove good: see attachSizes
	for v, err := range l.all(op) {
		if err != nil {
			return nil, err
		}
		if len(vs) == cap(vs) {
			vs = slices.Grow(vs, min(len(vs), l.n-len(vs)))
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// CopyInts copies the items from index from on into dst, until dst is full or
// the list ends, and returns how many it copied. It stops with an error at the
// first item of another kind than int. from may be the list's length.
func (l *List) CopyInts(dst []int64, from int) (int, error) {
	return copyNumbers(l, dst, from, Int, func(bits uint64) int64 { return int64(bits) })
}

// CopyFloats is [List.CopyInts] for items that are floats.
func (l *List) CopyFloats(dst []float64, from int) (int, error) {
	return copyNumbers(l, dst, from, Float, math.Float64frombits)
}

func copyNumbers[T int64 | float64](l *List, dst []T, from int, k Kind, convert func(uint64) T) (int, error) {
	if from < 0 || from > l.n {
		return 0, itemErr("get", from, l.indexErr(from))
	}
	n := min(len(dst), l.n-from)
	var pause backoff
	for i := range n {
		pause.next()
		bits, err := l.number(from+i, k, &pause)
		if err != nil {
			return i, err
		}
		dst[i] = convert(bits)
	}
	return n, nil
}
