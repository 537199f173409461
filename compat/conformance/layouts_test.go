package conformance

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An otherLayoutRow is a list in the layout that a Python does not know. Python does not
// check the layout, misreads the list and writes into its table or its formats.
type otherLayoutRow struct {
	values   []any
	attach   any   // the outcome of Python's attempt to attach
	reads    []any // the outcome of Python's reading, item by item
	set      any   // the outcome of Python's list[0] = 77,
	harmless bool  // and whether the bytes are the same afterwards
}

// otherLayoutRows are by the layout that the list has.
var otherLayoutRows = map[format.Layout][]otherLayoutRow{
	// CPython 3.9 and later take sizes for offsets.
	format.Sizes: {
		{values: []any{int64(1), int64(2), int64(3)}, reads: []any{raised("struct.error"), raised("struct.error"), raised("struct.error")}},
		{values: []any{"a"}, reads: []any{raised("struct.error")}, set: raised("struct.error"), harmless: true},
		{values: []any{}, attach: raised("struct.error")}, // it has 8 bytes instead of 16
	},
	// CPython 3.8 takes offsets for sizes.
	format.Offsets: {
		{values: []any{int64(1), int64(2), int64(3)}, reads: []any{raised("struct.error"), int64(24), int64(1)}},
		{values: []any{"a"}, reads: []any{raised("struct.error")}},
		{values: []any{}, reads: []any{}, set: raised("IndexError"), harmless: true}, // the one that works
	},
}

// testOtherLayout shows that Go reads either layout, where Python does not.
func testOtherLayout(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t) // elsewhere a list without items looks incomplete
	other := format.Sizes
	if p.Interpreter().Layout() == format.Sizes {
		other = format.Offsets
	}
	for _, row := range otherLayoutRows[other] {
		t.Run(format.Repr(row.values), func(t *testing.T) {
			made := must(pyshm.CreateList(newName(t), row.values, pyshm.Layout(other)))(t)
			defer made.Close()
			ours := attachList(t, made.Name())
			if got := goItems(ours); !identical(got, row.values) || ours.Layout() != other {
				t.Errorf("Go reads %v in %v", got, ours.Layout())
			}

			theirs, err := p.AttachList(made.Name())
			if got := outcome(nil, err)(t); got != row.attach {
				t.Errorf("Python attaches: %v, want %v", got, row.attach)
			}
			if err != nil {
				return
			}
			if got := pythonItems(t, p, theirs); !identical(got, row.reads) {
				t.Errorf("Python reads %v, want %v", got, row.reads)
			}
			before := fileBytes(t, made.Name())
			if got := outcome(nil, theirs.Set(0, 77))(t); got != row.set {
				t.Errorf("Python sets an item: %v, want %v", got, row.set)
			}
			if after := fileBytes(t, made.Name()); bytes.Equal(before, after) != row.harmless {
				t.Errorf("Python has set an item: harmless is not %v\n%s", row.harmless, hexDiff(after, before))
			}
			goItems(ours) // must not crash, in whatever state the list is now
		})
	}
}

// A forgedCountRow is a count that a process has written over the count of the list
// [1, 'b', 3.5]. Attached processes keep reading the three items.
type forgedCountRow struct {
	count    int64
	len      any   // Python reads it anew each time
	values   any   // a Python list asks len how many items to expect
	attach   any   // the outcome of attaching then, in Python
	attach38 any   // the same in CPython 3.8
	inGo     error // and in Go; nil: Go attaches, and finds the items corrupt
}

var forgedItems = []any{int64(1), "b", 3.5}

var forgedCountRows = []forgedCountRow{
	{1, int64(1), forgedItems, nil, nil, nil},
	{2, int64(2), forgedItems, nil, nil, nil},
	{4, int64(4), forgedItems, nil, nil, format.ErrCorrupt},
	{5, int64(5), forgedItems, nil, nil, format.ErrCorrupt},
	{0, int64(0), forgedItems, nil, nil, format.ErrIncomplete}, // in Python an empty list, for good
	{-1, raised("ValueError"), raised("ValueError"), raised("ValueError"), raised("ValueError"), format.ErrCorrupt},
	{math.MinInt64, raised("ValueError"), raised("ValueError"), raised("ValueError"), raised("ValueError"), format.ErrCorrupt},
	{1 << 62, int64(1 << 62), raised("MemoryError"), raised("MemoryError"), raised("struct.error"), format.ErrCorrupt},
}

func testForgedCount(t *testing.T, p *compat.Peer) {
	theirs := must(p.CreateList(newName(t), forgedItems))(t)
	defer theirs.Unlink()
	ours := attachList(t, theirs.Name())
	for _, row := range forgedCountRows {
		if row.count > math.MaxInt { // only on 32-bit processors
			row.len, row.values, row.attach = raised("OverflowError"), raised("OverflowError"), raised("OverflowError")
		}
		t.Run(format.Repr(row.count), func(t *testing.T) {
			must(ours.SharedMemory().WriteAt([]byte(native(uint64(row.count))), 0))(t)
			row.testAttached(t, theirs, ours)
			row.testAttaching(t, p, theirs.Name())
		})
	}
}

func (row forgedCountRow) testAttached(t *testing.T, theirs *compat.List, ours *pyshm.ShareableList) {
	n, err := theirs.Len()
	if got := outcome(int64(n), err)(t); got != row.len {
		t.Errorf("Python's len is %v, want %v", got, row.len)
	}
	if got := outcome(theirs.Values())(t); !identical(got, row.values) {
		t.Errorf("Python iterates over %v, want %v", got, row.values)
	}
	others := []any{outcome(theirs.Get(2))(t), outcome(theirs.Count("b"))(t), outcome(theirs.Format())(t)}
	if want := []any{3.5, 1, "q8sd"}; !identical(others, want) {
		t.Errorf("Python's [2], count and format are %v, want %v", others, want)
	}
	if got := goItems(ours); !identical(got, forgedItems) || ours.Len() != len(forgedItems) {
		t.Errorf("Go reads %v, and has %d items", got, ours.Len())
	}
	if err := ours.Check(); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Check: %v", err)
	}
}

func (row forgedCountRow) testAttaching(t *testing.T, p *compat.Peer, name string) {
	want := row.attach
	if p.Interpreter().Layout() == format.Sizes {
		want = row.attach38
	}
	_, err := p.AttachList(name)
	if got := outcome(nil, err)(t); got != want {
		t.Errorf("Python attaches: %v, want %v", got, want)
	}
	l, err := pyshm.AttachList(name)
	if !errors.Is(err, row.inGo) {
		t.Errorf("Go attaches: %v, want %v", err, row.inGo)
	}
	if err != nil {
		return
	}
	defer l.Close()
	for i, got := range goItems(l) {
		if got != format.ErrCorrupt {
			t.Errorf("Go attaches, and reads %v as item %d", got, i)
		}
	}
}
