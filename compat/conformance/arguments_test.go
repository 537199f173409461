package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An argumentRow has an argument of Python's ShareableList, and the result that Go finds
// afterwards: a list, a list that will never be complete, or nothing.
type argumentRow struct {
	python string // the argument
	raises raised

	list       []any // the values that Go reads
	unfinished bool  // Go finds a segment that Python has left behind

	until39 raised // the exception that CPython 3.8 raises instead of making the list
}

var argumentRows = []argumentRow{
	// Items of other types than the six. Python looks types up exactly, before there is
	// a segment.
	{python: "[Int(1)]", raises: "KeyError"},
	{python: "[Number.ONE]", raises: "KeyError"},
	{python: "[Float(1.5)]", raises: "KeyError"},
	{python: "[Str('a')]", raises: "KeyError"},
	{python: "[Bytes(b'a')]", raises: "KeyError"},
	{python: "[bytearray(b'a')]", raises: "KeyError"},
	{python: "[memoryview(b'a')]", raises: "KeyError"},
	{python: "[decimal.Decimal(1)]", raises: "KeyError"},
	{python: "[fractions.Fraction(1, 2)]", raises: "KeyError"},
	{python: "[1j]", raises: "KeyError"},
	{python: "[[1]]", raises: "KeyError"},
	{python: "[(1,)]", raises: "KeyError"},
	{python: "[{}]", raises: "KeyError"},
	{python: "[set()]", raises: "KeyError"},
	{python: "[range(1)]", raises: "KeyError"},
	{python: "[ctypes.c_float(1.5)]", raises: "KeyError"},
	{python: "[array.array('b', b'a')]", raises: "KeyError"},
	{python: "[int]", raises: "KeyError"},
	{python: "[...]", raises: "KeyError"},

	// Python finds half-way that it cannot pack an item: the header is written, the
	// formats are not.
	{python: "[2**63]", raises: "struct.error", unfinished: true},
	{python: "[-2**63 - 1]", raises: "struct.error", unfinished: true},
	{python: "[2**64]", raises: "struct.error", unfinished: true},
	{python: "[2**100]", raises: "struct.error", unfinished: true},
	{python: "[7, 'ab', 2**63, 8]", raises: "struct.error", unfinished: true},
	{python: `['\ud800']`, raises: "UnicodeEncodeError", unfinished: true},
	{python: `['a\udc80b']`, raises: "UnicodeEncodeError", unfinished: true},

	// Python iterates over a sequence three times: once is not enough.
	{python: "(i for i in (1, 2, 3))", raises: "struct.error", unfinished: true},
	{python: "map(int, '123')", raises: "struct.error", unfinished: true},
	{python: "iter([1, 2, 3])", raises: "struct.error", unfinished: true},

	{python: "[]", list: []any{}},
	{python: "()", list: []any{}},
	{python: "''", list: []any{}},
	{python: "range(0)", list: []any{}},
	{python: "(i for i in ())", list: []any{}},
	{python: "'abc'", list: []any{"a", "b", "c"}},
	{python: "b'abc'", list: []any{int64('a'), int64('b'), int64('c')}},
	{python: "{'k': 1}", list: []any{"k"}},
	{python: "{5}", list: []any{int64(5)}},
	{python: "range(3)", list: []any{int64(0), int64(1), int64(2)}},
	{python: "ShareableList([1, 'a', None])", list: []any{int64(1), "a", nil}},
	{python: "5", raises: "TypeError"},
	{python: "0", list: []any{}, until39: "TypeError"}, // `sequence or ()`
	{python: "False", list: []any{}, until39: "TypeError"},
}

func testArguments(t *testing.T, p *compat.Peer) {
	for _, row := range argumentRows {
		if row.until39 != "" && !p.Interpreter().AtLeast(3, 9) {
			row = argumentRow{python: row.python, raises: row.until39}
		}
		t.Run(row.python, func(t *testing.T) { row.test(t, p) })
	}
	t.Run("nothing", func(t *testing.T) {
		check(t, p.Exec("made = ShareableList()"))
		theirs := must(p.List("made"))(t)
		defer theirs.Unlink()
		testkit.NeedLinux(t) // elsewhere a list without items looks incomplete
		if l := attachList(t, theirs.Name()); l.Len() != 0 {
			t.Errorf("Go finds %d items", l.Len())
		}
	})
}

func (row argumentRow) test(t *testing.T, p *compat.Peer) {
	name := newName(t)
	got := execute(t, p, "made = ShareableList(%s, name=%q)", row.python, name)
	if got != nil && got != row.raises || got == nil && row.raises != "" {
		t.Fatalf("Python raises %v, want %q", got, row.raises)
	}
	l, err := pyshm.AttachList(name)
	switch {
	case row.unfinished:
		left := format.ErrIncomplete
		if !keepsNames {
			left = fs.ErrNotExist // Python has closed it
		}
		if !errors.Is(err, left) {
			t.Errorf("Go attaches to what Python has left behind: %v", err)
		}
	case row.raises != "":
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Go attaches, though there should be nothing: %v", err)
		}
	case testkit.WholePages && len(row.list) == 0: // it looks incomplete
		if !errors.Is(err, format.ErrIncomplete) {
			t.Errorf("Go attaches to a list without items: %v", err)
		}
	default:
		check(t, err)
		defer l.Close()
		if got := goItems(l); !slices.EqualFunc(got, row.list, identical) || l.Layout() != p.Interpreter().Layout() {
			t.Errorf("Go reads %v in layout %v, want %v in %v", got, l.Layout(), row.list, p.Interpreter().Layout())
		}
	}
}

// A format has eight characters: "9999992s" is the longest.
func testLongestItem(t *testing.T, p *compat.Peer) {
	const longest = 9_999_991
	for _, row := range []struct {
		python string // a character
		value  func(n int) any
	}{
		{"'a'", func(n int) any { return times(n, "a") }},
		{"b'a'", func(n int) any { return []byte(times(n, "a")) }},
	} {
		t.Run(row.python, func(t *testing.T) {
			theirs := newName(t)
			execute(t, p, "made = ShareableList([%s * %d], name=%q)", row.python, longest, theirs)
			if got := must(attachList(t, theirs).Get(0))(t); !identical(got, row.value(longest)) {
				t.Error("Python made it, Go reads something else")
			}
			ours := createList(t, p, row.value(longest))
			execute(t, p, "made.shm.unlink(); made = ShareableList(name=%q)", ours.Name())
			if same := must(p.Eval(fmt.Sprintf("made[0] == %s * %d", row.python, longest)))(t); same != true {
				t.Error("Go made it, Python reads something else")
			}
			execute(t, p, "made.shm.unlink()")

			argumentRow{python: fmt.Sprintf("[%s * %d]", row.python, longest+1), raises: "AssertionError"}.test(t, p)
			if l, err := pyshm.CreateList(newName(t), []any{row.value(longest + 1)}); !errors.Is(err, format.ErrTooLarge) {
				t.Errorf("Go makes %v of one character more: %v", l, err)
			}
		})
	}
}

// Without assertions Python makes a list with a format cut to "10000000", which neither
// Python nor Go can read.
func TestTooLongItemWithoutAssertions(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startPython(t, py, compat.Command(func(cmd *exec.Cmd) { cmd.Args = slices.Insert(cmd.Args, 1, "-O") }))
		theirs := must(p.CreateList(newName(t), []any{times(9_999_992, "a")}))(t)
		if got := pythonItems(t, p, theirs); got[0] != raised("struct.error") {
			t.Errorf("Python reads %v", got)
		}
		if got := goItems(attachList(t, theirs.Name())); got[0] != format.ErrCorrupt {
			t.Errorf("Go reads %v", got)
		}
	})
}
