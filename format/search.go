package format

import (
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/internal/words"
)

// Equal reports whether a and b, of the types that items may have, are equal by
// Python's ==: 1 == 1.0 == true, int and float are compared exactly, a NaN equals
// nothing, a string never equals a []byte.
func Equal(a, b any) bool {
	x, xErr := operandOf(a)
	y, yErr := operandOf(b)
	return xErr == nil && yErr == nil && x.equal(y)
}

// An operand is a value prepared for ==. A bool is an int, as in Python.
type operand struct {
	kind Kind
	bits uint64
	text []byte
	huge bool // an int above int64: bits is a uint64
}

func operandOf(v any) (operand, error) {
	if n, isInt, fits := toInt64(v); isInt {
		return operand{kind: Int, bits: uint64(n), huge: !fits}, nil
	}
	it, err := itemOf(v)
	if err != nil {
		return operand{}, err
	}
	if it.kind == Bool {
		return boolOperand(it.bits), nil
	}
	return operand{kind: it.kind, bits: it.bits, text: it.text}, nil
}

func boolOperand(bits uint64) operand {
	if bits&boolByte != 0 {
		return operand{kind: Int, bits: 1}
	}
	return operand{kind: Int}
}

func (x operand) equal(y operand) bool {
	switch {
	case x.kind == Float && y.kind == Float:
		return math.Float64frombits(x.bits) == math.Float64frombits(y.bits)
	case x.kind == Float && y.kind == Int:
		return y.equalFloat(math.Float64frombits(x.bits))
	case x.kind == Int && y.kind == Float:
		return x.equalFloat(math.Float64frombits(y.bits))
	case x.kind != y.kind:
		return false
	case x.kind.isText():
		return string(x.text) == string(y.text)
	default:
		return x.bits == y.bits && x.huge == y.huge
	}
}

// equalFloat compares an int with f exactly: both bounds are powers of two, so
// that within them the conversion of an integral f loses nothing.
func (x operand) equalFloat(f float64) bool {
	switch {
	case f != math.Trunc(f): // NaN too
		return false
	case x.huge:
		return 1<<63 <= f && f < 1<<64 && uint64(f) == x.bits
	default:
		return -1<<63 <= f && f < 1<<63 && int64(f) == int64(x.bits)
	}
}

// Index returns the index of the first item that equals v (see [Equal]), or
// [ErrNotFound]. As in Python, an item that cannot be read ends the search
// with its error.
func (l *List) Index(v any) (int, error) {
	found := -1
	err := l.search("index", v, func(i int, equal uint64) bool {
		found = i + bits.TrailingZeros64(equal)
		return false
	})
	if err != nil {
		return 0, err
	}
	if found < 0 {
		return 0, listErr("index", fmt.Errorf("%s: %w", excerpt(Repr(v)), ErrNotFound))
	}
	return found, nil
}

// Count returns how many items equal v (see [Equal]). An item that cannot be
// read ends the search with its error.
func (l *List) Count(v any) (int, error) {
	n := 0
	err := l.search("count", v, func(_ int, equal uint64) bool {
		n += bits.OnesCount64(equal)
		return true
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// search looks for items equal to v, and compares in place. When it has found some, it
// calls found until found returns false: bit k of equal stands for item i+k.
func (l *List) search(op string, v any, found func(i int, equal uint64) bool) error {
	want, err := operandOf(v)
	if err != nil {
		return listErr(op, err)
	}
	s := search{list: l, want: want, numbers: want.asNumbers(), padded: want.padded()}
	length := searchRun // of a run: short at first, for an item near the start
	for i := 0; i < l.n; length = runLength {
		n := min(length, l.n-i)
		if n > wordSize {
			n &^= wordSize - 1 // a run, and then the rest
		}
		var more bool
		if equal, ok := s.run(i, n); ok {
			more = equal.each(i, found)
		} else if more, err = s.items(op, i, n, found); err != nil {
			return err
		}
		if !more {
			return nil
		}
		i += n
	}
	return nil
}

// items looks at the n items from i on one by one. more is false if found wants no more.
func (s *search) items(op string, i, n int, found func(i int, equal uint64) bool) (more bool, err error) {
	for ; n > 0; i, n = i+1, n-1 {
		s.pause.next()
		is, err := s.item(i)
		if err != nil {
			return false, itemErr(op, i, err)
		}
		if is && !found(i, 1) {
			return false, nil
		}
	}
	return true, nil
}

// A search looks for a value in a list.
type search struct {
	list    *List
	want    operand
	numbers wantedNumbers
	padded  wantedText
	pause   backoff
}

// item reports whether item i equals the value.
func (s *search) item(i int) (equal bool, err error) {
	r := s.list.reading(i, 0)
	for r.again(&s.pause) {
		equal, err = s.list.equal(r.header, s.want)
	}
	if r.err != nil {
		err = r.err
	}
	return equal, err
}

// equal reports whether an item equals want.
func (l *List) equal(h header, want operand) (bool, error) {
	is := operand{kind: h.kind}
	switch h.kind {
	case Str, Bytes:
		is.text = l.text(h)
		if h.kind == Str && !utf8.Valid(is.text) {
			return false, ErrUTF8
		}
	case None:
	case Bool:
		is = boolOperand(words.Load64(l.slotWord(h.span)))
	default:
		is.bits = words.Load64(l.slotWord(h.span))
	}
	return is.equal(want), nil
}
