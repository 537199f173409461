package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

var indexItems = []any{int64(10), "b", 3.5}

// An indexRow is an index into the list of indexItems.
type indexRow struct {
	index string // as Python spells it
	item  int    // the item that Python takes it for, or noItem

	// Python's result if there is no such item. If a set results in nil, Python has
	// overwritten something else.
	get, set     any
	get38, set38 any // CPython 3.8, whose list has another layout
}

const noItem = -1

var indexRows = []indexRow{
	{index: "0", item: 0},
	{index: "2", item: 2},
	{index: "True", item: 1},
	{index: "-1", item: 2}, // only Python has negative indices
	{index: "-3", item: 0},

	{"3", noItem, raised("IndexError"), raised("IndexError"), raised("IndexError"), raised("IndexError")},
	{"9223372036854775807", noItem, raised("IndexError"), raised("IndexError"), raised("IndexError"), raised("IndexError")},
	{"2**70", noItem, raised("IndexError"), raised("IndexError"), raised("IndexError"), raised("IndexError")},
	{"1.0", noItem, raised("TypeError"), raised("TypeError"), raised("TypeError"), raised("TypeError")},
	{"'1'", noItem, raised("TypeError"), raised("TypeError"), raised("TypeError"), raised("TypeError")},
	{"None", noItem, raised("TypeError"), raised("TypeError"), raised("TypeError"), raised("TypeError")},
	{"slice(0, 2)", noItem, raised("TypeError"), raised("TypeError"), raised("TypeError"), raised("TypeError")},

	// There is no lower bound: Python reads, and writes, before the formats and the
	// slots, so in the slots and the table.
	{"-4", noItem, floatIn("q\x00\x00\x00\x00\x00\x00\x00"), nil, raised("struct.error"), nil},
	{"-5", noItem, []byte(wordOf(3.5)), nil, int64(10), nil},
	{"-6", noItem, intIn("b\x00\x00\x00\x00\x00\x00\x00"), nil, raised("ValueError"), nil},
	{"-7", noItem, formatOf(3.5), nil, raised("struct.error"), nil},
	{"-8", noItem, raised("IndexError"), raised("IndexError"), raised("struct.error"), nil}, // in 3.9, the table's end is the limit
	{"-10", noItem, raised("IndexError"), raised("IndexError"), raised("struct.error"), nil},
	{"-2**63", noItem, raised("IndexError"), raised("IndexError"), raised("OverflowError"), raised("OverflowError")},
}

// formatOf returns Python's result if the format of an item is the bytes of a float: the
// NULs in them are an error, but in big-endian order they are at the end of 3.5, and "@\f"
// in front of them is the format of no value.
func formatOf(f float64) raised {
	if strings.Contains(strings.TrimRight(wordOf(f), "\x00"), "\x00") {
		return raised("struct.error")
	}
	return raised("ValueError")
}

func testIndices(t *testing.T, p *compat.Peer) {
	theirs := must(p.CreateList(newName(t), indexItems))(t)
	defer theirs.Unlink()
	ours := attachList(t, theirs.Name())
	before := fileBytes(t, ours.Name())
	for _, row := range indexRows {
		t.Run(row.index, func(t *testing.T) {
			if !p.Interpreter().AtLeast(3, 9) {
				row.get, row.set = row.get38, row.set38
			}
			if row.item != noItem {
				row.get = indexItems[row.item]
			}
			if i, err := strconv.Atoi(row.index); err == nil {
				row.testGo(t, ours, i)
			}
			row.testPython(t, p, theirs, ours)
			must(ours.SharedMemory().WriteAt(before, 0))(t)
		})
	}
}

// testGo expects Go to refuse all indices outside of the list.
func (row indexRow) testGo(t *testing.T, ours *pyshm.ShareableList, i int) {
	got, err := ours.Get(i)
	if i >= 0 && row.item != noItem {
		if check(t, err); !identical(got, row.get) {
			t.Errorf("Go reads %#v, want %#v", got, row.get)
		}
		return
	}
	if !errors.Is(err, format.ErrIndex) {
		t.Errorf("Go reads %#v, %v", got, err)
	}
	before := fileBytes(t, ours.Name())
	if err := ours.Set(i, 1); !errors.Is(err, format.ErrIndex) {
		t.Errorf("Go sets it: %v", err)
	}
	if after := fileBytes(t, ours.Name()); !bytes.Equal(before, after) {
		t.Errorf("Go has refused to set it, but\n%s", hexDiff(after, before))
	}
}

// testPython expects Python to behave as in the row.
func (row indexRow) testPython(t *testing.T, p *compat.Peer, theirs *compat.List, ours *pyshm.ShareableList) {
	if got := outcome(p.Eval(fmt.Sprintf("%s[%s]", theirs.Var(), row.index)))(t); !identical(got, row.get) {
		t.Errorf("Python reads %#v, want %#v", got, row.get)
	}
	before := fileBytes(t, ours.Name())
	if got := execute(t, p, "%s[%s] = 1", theirs.Var(), row.index); got != row.set {
		t.Errorf("Python sets it: %v, want %v", got, row.set)
	}
	switch same := bytes.Equal(before, fileBytes(t, ours.Name())); {
	case row.item != noItem:
		want := slices.Clone(indexItems)
		want[row.item] = int64(1)
		if got := goItems(ours); !identical(got, want) {
			t.Errorf("Python has set it to 1, Go reads %v", got)
		}
	case row.set == nil && same:
		t.Error("Python has overwritten nothing")
	case row.set != nil && !same:
		t.Error("Python has raised an exception, and overwritten something")
	}
}

// An empty list has no item -1. Python finds that out too late: by then it has written a
// format over the count, in CPython 3.8, or over the first offset, and the list is
// destroyed.
func testIndexOfEmpty(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t) // elsewhere a list without items looks incomplete
	theirs := must(p.CreateList(newName(t), nil))(t)
	defer theirs.Unlink()
	ours := attachList(t, theirs.Name())
	for _, index := range []int{0, -1} {
		indexRow{item: noItem}.testGo(t, ours, index)
	}
	if got := outcome(theirs.Get(-1))(t); got != raised("ValueError") {
		t.Errorf("Python reads %v", got)
	}
	if got := outcome(nil, theirs.Set(-1, 1))(t); got != raised("struct.error") {
		t.Errorf("Python sets it: %v", got)
	}
	if _, err := pyshm.AttachList(theirs.Name()); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Go attaches afterwards: %v", err)
	}
}
