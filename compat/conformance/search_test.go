package conformance

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
)

// searched are values. Some are equal in Python although their types differ, and others
// are not equal although they look alike.
var searched = []any{
	// An int, a float and a bool are equal if they are the same number.
	int64(0), 0.0, math.Copysign(0, -1), false,
	int64(1), 1.0, true, int64(-1), -1.0, 1.5, int64(2),
	// The comparison is exact, where a float64 is not.
	int64(1 << 53), int64(1<<53 + 1), float64(1 << 53),
	int64(math.MaxInt64), int64(math.MinInt64), 0x1p63, -0x1p63, 0x1p64,
	math.Inf(1), math.Inf(-1), 5e-324,
	// NaN equals nothing, itself included.
	math.NaN(), floatOf(0x7ff0_0000_0000_0001),
	// None equals None, and no str a bytes.
	nil, "", []byte{}, "a", []byte("a"), "\x00a", "1", "é", []byte("é"), "e\u0301", "😀",
}

func testSearch(t *testing.T, p *compat.Peer) {
	theirs := must(p.CreateList(newName(t), searched))(t)
	defer theirs.Unlink()
	ours := attachList(t, theirs.Name())

	for i, row := range must(p.Eval(fmt.Sprintf("[[a == b for b in %[1]s] for a in %[1]s]", theirs.Var())))(t).([]any) {
		for j, want := range row.([]any) {
			if a, b := searched[i], searched[j]; format.Equal(a, b) != want {
				t.Errorf("Python: %s == %s is %v", format.Repr(a), format.Repr(b), want)
			}
		}
	}
	// Python takes values that the list cannot hold. Go has the first two of them.
	for _, v := range append(searched[:len(searched):len(searched)], uint64(1<<63), uint64(math.MaxUint64), "missing") {
		count, index := outcome(theirs.Count(v))(t), outcome(theirs.Index(v))(t)
		if got, err := ours.Count(v); err != nil || got != count {
			t.Errorf("Count(%s) = %d, %v, in Python %v", format.Repr(v), got, err, count)
		}
		got, err := ours.Index(v)
		if found := reason(err) != format.ErrNotFound; !found && index != raised("ValueError") || found && (err != nil || got != index) {
			t.Errorf("Index(%s) = %d, %v, in Python %v", format.Repr(v), got, err, index)
		}
	}
}

// An item that cannot be read ends every search that comes to it, and repr, too.
func testSearchUnreadable(t *testing.T, p *compat.Peer) {
	theirs := must(p.CreateList(newName(t), []any{"before", "€€€", "behind"}))(t)
	defer theirs.Unlink()
	ours := attachList(t, theirs.Name())

	python := []any{
		outcome(theirs.Index("before"))(t), outcome(theirs.Index("behind"))(t),
		outcome(theirs.Count("before"))(t), outcome(theirs.Values())(t), outcome(theirs.Repr())(t),
	}
	const unreadable = raised("UnicodeDecodeError")
	if want := []any{0, unreadable, unreadable, unreadable, unreadable}; !identical(python, want) {
		t.Errorf("Python: %v, want %v", python, want)
	}

	if i, err := ours.Index("before"); i != 0 || err != nil {
		t.Errorf("Index = %d, %v", i, err)
	}
	_, index := ours.Index("behind")
	_, count := ours.Count("before")
	_, values := ours.Values()
	for _, err := range []error{index, count, values} {
		if !errors.Is(err, format.ErrUTF8) {
			t.Errorf("Index, Count or Values: %v, want %v", err, format.ErrUTF8)
		}
	}
	if got := ours.String(); !strings.Contains(got, format.ErrUTF8.Error()) {
		t.Errorf("String() = %s", got)
	}
}

func testRepr(t *testing.T, p *compat.Peer) {
	values := slices.Clone(searched)
	for c := range rune(0x100) { // every byte, and every character of Latin-1
		values = append(values, []byte{byte(c), 'b'}, string(c)+"s")
	}
	values = append(values,
		"it's", `"quoted"`, `'single' and "double"`, []byte("it's"), []byte(`"quoted"`), []byte(`'single' and "double"`), `back\slash`,
		// Not printable: format and private-use characters, separators, noncharacters.
		"\u00ad", "\u200b", "\u2028", "\u3000", "\ue000", "\ufeff", "\ufffd", "\uffff", "\U000e0001", "\U0010ffff",
		// Where repr changes to an exponent, and the longest digits.
		1e15, 1e16, 9999999999999998.0, 1e22, 1e-4, 9.999999999999999e-05, 1e-5, 0.1, 123456789.125, -2.5e-7,
		math.MaxFloat64, 2.2250738585072014e-308, 1.7976931348623155e+308, 0.30000000000000004,
	)
	theirs := must(p.CreateList(newName(t), values))(t)
	defer theirs.Unlink()
	for i, want := range must(p.Eval(fmt.Sprintf("[repr(v) for v in %s]", theirs.Var())))(t).([]any) {
		if got := format.Repr(values[i]); got != want {
			t.Errorf("Repr(%#v) = %s, in Python %s", values[i], got, want)
		}
	}
	want := must(theirs.Repr())(t)
	if got := attachList(t, theirs.Name()).String(); got != want {
		t.Errorf("String() = %s\nin Python %s", got, want)
	}
}
