package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
)

// setItems are the items that are set in turn to each of setRows. Their slots
// have 8 bytes, or 24.
var setItems = []any{
	int64(65), 2.5, true, nil, "old", []byte("old"),
	times(23, "o"), []byte(times(23, "o")),
}

// A setRow is an assignment sl[1] = value, with its outcome in Python and in Go.
type setRow struct {
	python  string
	value   any    // the same in Go
	raises  raised // Python's refusal
	refused error  // Go's, which leaves the item as it was
}

// goHasNone stands for Python's values without a counterpart in Go.
type goHasNone struct{}

var setRows = []setRow{
	{python: "5", value: int64(5)},
	{python: "2.5", value: 2.5},
	{python: "True", value: true},
	{python: "False", value: false},
	{python: "None", value: nil},
	{python: "'ab'", value: "ab"},
	{python: "''", value: ""},
	{python: "b'ab'", value: []byte("ab")},
	{python: "b''", value: []byte{}},
	{python: "b'\\xff\\xfe'", value: []byte("\xff\xfe")},

	// Here bytes count, in Python, too: a slot may become full, and a value that exceeds
	// the slot is refused.
	{python: "'ABCDEFGH'", value: "ABCDEFGH"},
	{python: "'€€aa'", value: "€€aa"},
	{python: "b'ABCDEFGH'", value: []byte("ABCDEFGH")},
	{python: "'ABCDEFGHI'", value: "ABCDEFGHI"},
	{python: "'€€€'", value: "€€€"},
	{python: "b'ABCDEFGHI'", value: []byte("ABCDEFGHI")},
	{python: "'x' * 24", value: times(24, "x")},
	{python: "'😀' * 6", value: times(6, "😀")},
	{python: "'x' * 25", value: times(25, "x")},

	// Python stores NULs at the end, and does not read them.
	{python: `'ab\0'`, value: "ab\x00", refused: format.ErrTrailingNUL},
	{python: `b'ab\0'`, value: []byte("ab\x00"), refused: format.ErrTrailingNUL},

	{python: `'\ud800'`, value: "\xed\xa0\x80", raises: "UnicodeEncodeError", refused: format.ErrUTF8},
	{python: "[5]", value: []any{5}, raises: "KeyError", refused: format.ErrType},
	{python: "1j", value: 1i, raises: "KeyError", refused: format.ErrType},
	{python: "bytearray(b'ab')", value: goHasNone{}, raises: "KeyError"},
	{python: "Int(5)", value: goHasNone{}, raises: "KeyError"},
	{python: "Float(2.5)", value: goHasNone{}, raises: "KeyError"},
	{python: "Str('ab')", value: "ab"}, // set takes subclasses of str and bytes, unlike creation
	{python: "Bytes(b'ab')", value: []byte("ab")},

	// Python finds out too late: the item is an int then.
	{python: "2**63", value: uint64(1 << 63), raises: "struct.error", refused: format.ErrRange},
	{python: "-2**63 - 1", value: goHasNone{}, raises: "struct.error"},
}

// testSet sets each item to each value: Python in a list made by Go, Go in a list made by
// Python.
func testSet(t *testing.T, p *compat.Peer) {
	for _, item := range setItems {
		ours, theirs, before := goTriple(t, p, item), pythonTriple(t, p, item), tripleOf(t, p, item)
		for _, row := range setRows {
			t.Run(format.Repr(item)+"="+row.python, func(t *testing.T) {
				if text, ok := textOf(row.value); ok && len(text) > len(before.slot()) {
					row.raises, row.refused = "ValueError", format.ErrTooLong
				}
				// Whatever the slot holds then, it is as large as it was.
				full := times(len(before.slot()), "y")
				ours.become(t, before)
				row.testPython(t, ours)
				setRow{python: format.Repr(full), value: full}.testPython(t, ours)
				theirs.become(t, before)
				row.testGo(t, theirs)
				setRow{value: full}.testGo(t, theirs)
			})
		}
	}
}

// testPython lets Python set the item of a list.
func (row setRow) testPython(t *testing.T, l tripleList) {
	want := l.content(t)
	got := execute(t, l.peer, "%s[1] = %s", l.python.Var(), row.python)
	if got != exception(row.raises) {
		t.Errorf("Python: %v, want %v", got, exception(row.raises))
	}
	stored, changed := row.value, row.raises == ""
	if row.raises == "struct.error" {
		stored, changed = spoilt(l.peer, want), true
	}
	if changed {
		want = want.set(stored)
	}
	if content := l.content(t); !bytes.Equal(content, want) {
		t.Errorf("Python leaves other bytes\n%s", hexDiff(content, want))
	}
	if got, want := l.goReads(), stripped(stored); changed && !identical(got, want) {
		t.Errorf("Python has set it, Go reads %#v, want %#v", got, want)
	}
}

// testGo lets Go set the item of a list.
func (row setRow) testGo(t *testing.T, l tripleList) {
	if row.value == (goHasNone{}) {
		return
	}
	want := l.content(t)
	if err := l.ours.Set(1, row.value); !errors.Is(err, row.refused) {
		t.Errorf("Go: %v, want %v", err, row.refused)
	}
	if row.refused == nil {
		want = want.set(row.value)
		if got := l.pythonReads(t); !identical(got, row.value) {
			t.Errorf("Go has set it, Python reads %#v", got)
		}
	}
	if content := l.content(t); !bytes.Equal(content, want) {
		t.Errorf("Go leaves other bytes\n%s", hexDiff(content, want))
	}
}

// spoilt returns the int that the item has become when Python has refused an int: CPython
// has zeroed the slot, PyPy has left the old bytes in it.
func spoilt(p *compat.Peer, l triple) any {
	if p.Interpreter().Implementation == "PyPy" {
		return int64(binary.NativeEndian.Uint64(l.slot()))
	}
	return int64(0)
}
