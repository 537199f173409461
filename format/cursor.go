package format

import (
	"iter"
	"runtime/debug"
)

// All yields the items in order, each read when its turn comes. An item that
// cannot be read is yielded as its error; the iteration goes on.
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

// A Cursor reads the items of a list in order, one at a call: [List.All] for a
// caller that has something to do around each read. It keeps the account of the
// whole iteration: all items together wait no longer for a writer than one item
// does, and are no larger than the list. One goroutine at a time may use it.
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

// Next reads the next item, or returns its error. Then it goes on to the one
// after it, also where the read panics because memory is gone. Past the last item
// the error is [ErrIndex].
func (c *Cursor) Next() (any, error) {
	i := c.next
	c.next = min(i+1, c.list.n)
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

// panickingNext is Next with SetPanicOnFault, which is not for the code of the
// caller between two items.
func (c *Cursor) panickingNext() (any, error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return c.Next()
}
