package format

import (
	"iter"
	"math"
	"runtime/debug"
)

// All yields the items in order and reads each when its turn comes. For an item that
// cannot be read it yields the error, and the iteration goes on.
//
// If debug.SetPanicOnFault is on for the goroutine that calls All, it is on
// wherever an item is read, also on the goroutine of an [iter.Pull].
func (l *List) All() iter.Seq2[any, error] { return l.all("get") }

func (l *List) all(op string) iter.Seq2[any, error] {
	panicOnFault := debug.SetPanicOnFault(true)
	debug.SetPanicOnFault(panicOnFault)
	return func(yield func(any, error) bool) {
		c := Cursor{op: op, list: l, left: l.dataSize()}
		for c.More() {
			var v any
			var err error
			if panicOnFault {
				v, err = c.panickingNext()
			} else {
				v, err = c.Next()
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// A Cursor reads the items of a list in order, one for each call of Next. It is
// [List.All] for a caller that has something to do around each read. Its limits hold
// for the whole iteration: all items together wait no longer for a writer than one
// item does, and together they are no larger than the list. Only one goroutine at a
// time may use a Cursor.
type Cursor struct {
	op    string
	list  *List
	next  int // index of the item
	left  int // bytes of the data area that no item has taken yet
	pause backoff
}

// NewCursor returns a cursor before the first item.
func NewCursor(l *List) *Cursor { return &Cursor{op: "get", list: l, left: l.dataSize()} }

// More reports whether there is another item.
func (c *Cursor) More() bool { return c.next < c.list.n }

// Next reads the next item, or returns its error. In either case, and also if the read
// panics because memory is gone, it moves on to the item after. Past the last item it
// returns [ErrIndex].
func (c *Cursor) Next() (any, error) {
	i := c.next
	if i < c.list.n {
		c.next = i + 1
		start, end, ok := c.list.slot(i)
		if size := int(end-start) * wordSize; ok && size <= c.left {
			if v, ok := c.list.peekValue(i, start, end); ok {
				c.left -= size
				return v, nil
			}
		}
	}
	return c.await(i)
}

// await is Next for an item that may be in the middle of a write.
func (c *Cursor) await(i int) (any, error) {
	at, err := c.list.span(i)
	if err == nil && at.size > c.left { // else there would be more text than bytes
		err = &CorruptError{Field: "table", Index: i, Offset: tableStart + i*wordSize, Reason: "slots overlap"}
	}
	var v any
	if err == nil {
		c.left -= at.size
		c.pause.next()
		v, err = c.list.get(i, at, &c.pause)
	}
	return v, itemErr(c.op, i, err)
}

// appendNumbers reads the items from the next one on up to the end of the run, if they
// are all ints or all floats, and moves on behind them.
func (c *Cursor) appendNumbers(to []any) (_ []any, ok bool) {
	var run [runLength]uint64
	bits := run[:min(runLength, c.left/wordSize, c.list.n-c.next)]
	n := c.list.copyRun(bits, c.next, Int)
	for _, b := range bits[:n] {
		to = append(to, int64(b))
	}
	if n == 0 {
		n = c.list.copyRun(bits, c.next, Float)
		for _, b := range bits[:n] {
			to = append(to, math.Float64frombits(b))
		}
	}
	c.next += n
	c.left -= n * wordSize
	return to, n > 0
}

// panickingNext is Next with SetPanicOnFault on. It is off again for the caller's code
// between two items.
func (c *Cursor) panickingNext() (any, error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return c.Next()
}
