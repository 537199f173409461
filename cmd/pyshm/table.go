package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A table is a segment as rows of cells. Its methods read the cells that they are asked
// for, and no others.
type table interface {
	title() string
	size() (rows, cols int)
	rowsOf(part *span) (first, end int)
	label(row int) string
	head(col int) string                      // "" if columns have no heads
	numeric() bool                            // cells are aligned to the right
	cell(row, col int) (string, error, error) // the text; why it has none; an error of the segment
	// place returns where the bytes of a cell lie, and what else makes its text.
	place(row, col int) (from, to int, kind string)
}

// A watched is an attached segment, as a table.
type watched struct {
	table
	m *pyshm.SharedMemory
}

// openWatched attaches to a segment for reading.
func openWatched(name string) (*watched, error) {
	if a, err := attachArray(name, pyshm.ReadOnly()); err == nil {
		w := &watched{m: a.m}
		if _, err := pyshm.DescribeRing(a.m); err == nil {
			w.table = &ringTable{of: a}
			return w, w.refresh()
		}
		g, err := newGrid(a)
		w.table = gridTable{g}
		return w, err
	}
	l, err := pyshm.AttachList(name, pyshm.ReadOnly())
	if err == nil {
		if damage := l.Check(); damage == nil || errors.Is(damage, format.ErrBusy) {
			return &watched{listTable{l, l.SharedMemory()}, l.SharedMemory()}, nil
		}
		l.Close()
	}
	m, err := pyshm.Attach(name, pyshm.ReadOnly())
	if err != nil {
		return nil, err
	}
	w := &watched{blockTable{m, m.Size(), rowBytes}, m}
	if s, ok := findSegment(name); ok {
		if c, err := s.Inspect(); err == nil && c.Kind == pyshm.KindSemaphore {
			w.table = &semaphoreTable{name: s.Name}
			return w, w.refresh()
		}
	}
	return w, nil
}

// refresh looks again at the state of a semaphore, and for the newest frame of a ring.
func (w *watched) refresh() error {
	if t, ok := w.table.(interface {
		refresh(*pyshm.SharedMemory) error
	}); ok {
		return t.refresh(w.m)
	}
	return nil
}

// take copies the segment to b, and returns the copy as a table.
func (w *watched) take(b []byte) (table, error) {
	switch t := w.table.(type) {
	case *semaphoreTable:
		state := *t
		return &state, state.refresh(w.m)
	case *ringTable:
		info, err := pyshm.DescribeRing(w.m)
		return counterTable{"newest", info.Newest}, err
	}
	if n, err := w.m.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	switch t := w.table.(type) {
	case gridTable:
		a := *t.array
		a.from = bytes.NewReader(b)
		return gridTable{grid{&a, t.rows, t.cols}}, nil
	case listTable:
		l, err := format.Attach(b)
		return listTable{l, w.m}, err
	}
	return blockTable{bytes.NewReader(b), len(b), 1}, nil
}

// A gridTable is an array.
type gridTable struct{ grid }

func (g gridTable) title() string {
	return fmt.Sprintf("array of shape %s, dtype %s", shapeText(g.header.Shape), excerpt(g.header.Dtype.String()))
}

func (g gridTable) size() (rows, cols int) { return g.rows, g.cols }

func (g gridTable) rowsOf(part *span) (first, end int) {
	if part == nil || len(g.header.Shape) == 0 || g.header.Shape[0] == 0 {
		return 0, g.rows
	}
	first, end = part.of(g.header.Shape[0])
	each := g.rows / g.header.Shape[0]
	return first * each, end * each
}

func (g gridTable) place(row, col int) (from, to int, kind string) {
	from = g.grid.place(row*g.cols + col)
	return from, from + g.header.Dtype.Size(), ""
}

// A listTable is a list, or a copy of one.
type listTable struct {
	l interface {
		Len() int
		Layout() format.Layout
		Slot(i int) (format.Slot, error)
		Get(i int) (any, error)
	}
	m *pyshm.SharedMemory
}

func (t listTable) title() string {
	return listTitle(t.l.Len(), t.m.Size(), t.l.Layout())
}

func (t listTable) size() (rows, cols int) { return t.l.Len(), 1 }

func (t listTable) rowsOf(part *span) (first, end int) {
	if part == nil {
		return 0, t.l.Len()
	}
	return part.of(t.l.Len())
}

func (t listTable) label(row int) string { return fmt.Sprintf("[%d]", row) }
func (listTable) head(int) string        { return "" }
func (listTable) numeric() bool          { return false }

// longestCell is the largest slot whose value is read. A foreign list may have slots of any
// size, which overlap.
const longestCell = 64 << 10

func (t listTable) cell(row, _ int) (text string, unreadable, err error) {
	slot, err := t.l.Slot(row)
	var v any
	if err == nil && slot.Capacity > longestCell {
		return fmt.Sprintf("<%v of up to %d bytes>", slot.Kind, slot.Capacity), nil, nil
	}
	if err == nil {
		v, err = t.l.Get(row)
	}
	var ofItem *format.Error
	switch {
	case errors.As(err, &ofItem):
		return "<" + visible(ofItem.Err.Error()) + ">", ofItem.Err, nil
	case err != nil:
		return "", nil, err
	}
	return format.Repr(v), nil, nil
}

func (t listTable) place(row, _ int) (from, to int, kind string) {
	slot, err := t.l.Slot(row)
	if err != nil {
		return 0, 0, reason(err).Error()
	}
	return slot.Offset, slot.Offset + slot.Capacity, fmt.Sprint(slot.Format, slot.Code)
}

// A blockTable is a block, with one byte in a cell, or with the 16 bytes of a row.
type blockTable struct {
	from  io.ReaderAt
	bytes int
	cols  int // 16 or 1
}

const rowBytes = 16

func (t blockTable) title() string          { return fmt.Sprintf("block of %d bytes", t.bytes) }
func (t blockTable) size() (rows, cols int) { return (t.bytes + rowBytes - 1) / rowBytes, t.cols }

func (t blockTable) rowsOf(part *span) (first, end int) {
	if part == nil {
		return 0, (t.bytes + rowBytes - 1) / rowBytes
	}
	first, end = part.of(t.bytes)
	return first / rowBytes, (end + rowBytes - 1) / rowBytes
}

func (t blockTable) label(row int) string { return fmt.Sprintf("[%08x]", row*rowBytes) }
func (t blockTable) numeric() bool        { return false }

func (t blockTable) head(col int) string {
	if t.cols == 1 {
		return ""
	}
	return fmt.Sprintf("%2x", col)
}

func (t blockTable) cell(row, col int) (text string, unreadable, err error) {
	from, to, _ := t.place(row, col)
	b := make([]byte, to-from)
	if _, err := t.from.ReadAt(b, int64(from)); err != nil && err != io.EOF {
		return "", nil, err
	}
	return fmt.Sprintf("% x", b), nil, nil
}

func (t blockTable) place(row, col int) (from, to int, kind string) {
	each := rowBytes / t.cols
	from = min(row*rowBytes+col*each, t.bytes)
	return from, min(from+each, t.bytes), ""
}

// A counterTable is one number.
type counterTable struct {
	name string
	n    uint64
}

func (t counterTable) title() string                     { return t.name }
func (counterTable) size() (rows, cols int)              { return 1, 1 }
func (counterTable) rowsOf(*span) (first, end int)       { return 0, 1 }
func (t counterTable) label(int) string                  { return t.name }
func (counterTable) head(int) string                     { return "" }
func (counterTable) numeric() bool                       { return true }
func (t counterTable) place(int, int) (int, int, string) { return 0, 0, fmt.Sprint(t.n) }
func (t counterTable) cell(int, int) (string, error, error) {
	return fmt.Sprint(t.n), nil, nil
}

// A semaphoreTable is the value of a semaphore, and its waiters.
type semaphoreTable struct {
	name           string
	value, waiters int
}

func (t *semaphoreTable) refresh(*pyshm.SharedMemory) error {
	s, ok := findSegment(t.name)
	if !ok {
		return nil // the name is gone, which Current reports
	}
	c, err := s.Inspect()
	t.value, t.waiters = c.Value, c.Waiters
	return err
}

func (t *semaphoreTable) title() string                 { return "semaphore" }
func (t *semaphoreTable) size() (rows, cols int)        { return 2, 1 }
func (t *semaphoreTable) rowsOf(*span) (first, end int) { return 0, 2 }
func (t *semaphoreTable) label(row int) string          { return [...]string{"value", "waiters"}[row] }
func (t *semaphoreTable) head(int) string               { return "" }
func (t *semaphoreTable) numeric() bool                 { return true }

func (t *semaphoreTable) cell(row, _ int) (string, error, error) {
	return fmt.Sprint([...]int{t.value, t.waiters}[row]), nil, nil
}

func (t *semaphoreTable) place(row, col int) (from, to int, kind string) {
	kind, _, _ = t.cell(row, col)
	return 0, 0, kind
}

// A ringTable is the newest frame of a ring. A writer may be about to overwrite it.
type ringTable struct {
	gridTable
	of     *array // the slots
	newest uint64
}

func (t *ringTable) refresh(m *pyshm.SharedMemory) error {
	info, err := pyshm.DescribeRing(m)
	if err != nil {
		return err
	}
	frame := *t.of
	frame.header = npy.Header{Dtype: info.Dtype, Shape: info.Shape}
	slot := int(info.Newest % uint64(info.Slots))
	frame.offset = t.of.offset + slot*t.of.header.Dtype.Size()
	for _, f := range t.of.header.Dtype.Fields() {
		if f.Name == "frame" {
			frame.offset += f.Offset
		}
	}
	g, err := newGrid(&frame)
	t.gridTable, t.newest = gridTable{g}, info.Newest
	return err
}

func (t *ringTable) title() string {
	return strings.Replace(t.gridTable.title(), "array", fmt.Sprintf("ring: frame %d,", t.newest), 1)
}
