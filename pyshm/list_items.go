package pyshm

import (
	"errors"
	"io/fs"
	"iter"
	"runtime/debug"

	"github.com/pyshm-go/pyshm/format"
)

// Every method in this file calls the method of the same name of format.List behind a
// guard. The methods are written out, although they are alike: an embedded List could
// be reached without the guard, and a guard that takes a function costs more than most
// of these methods.

// Len returns the number of items, which never changes; 0 for a zero
// ShareableList.
func (l *ShareableList) Len() int {
	if l.list == nil {
		return 0
	}
	return l.list.Len()
}

// Layout returns the list's byte layout.
func (l *ShareableList) Layout() format.Layout {
	if l.list == nil {
		return format.Offsets
	}
	return l.list.Layout()
}

// Format returns the items' struct formats one after the other: Python's
// sl.format. It is empty if the memory cannot be read. See [format.List.Format].
func (l *ShareableList) Format() (formats string) {
	if l.m.isClosed() {
		return ""
	}
	var err error
	defer l.m.leave("format", l.m.enter(), &err)
	return l.list.Format()
}

// All yields the items in order, and reads each when its turn comes. For an item that
// cannot be read, it yields the error. Close ends the iteration with an error.
// See [format.List.All].
func (l *ShareableList) All() iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		if l.m.isClosed() {
			yield(nil, l.m.errClosed("get"))
			return
		}
		// The guard is not around the whole loop, because it is not for the caller's code.
		for c := format.NewCursor(l.list); c.More(); {
			v, err := l.next(c)
			if !yield(v, err) || err != nil && errors.Is(err, fs.ErrClosed) {
				return
			}
		}
	}
}

// next does not check whether the list is closed, because the cursor has to move on:
// the guard finds that out.
func (l *ShareableList) next(c *format.Cursor) (v any, err error) {
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return c.Next()
}

// Get returns item i. See [format.List.Get].
func (l *ShareableList) Get(i int) (v any, err error) {
	if l.m.isClosed() {
		return nil, l.m.errClosed("get")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.Get(i)
}

// Int returns item i, which must be an int. See [format.List.Int].
func (l *ShareableList) Int(i int) (v int64, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("get")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.Int(i)
}

// Float returns item i, which must be a float. See [format.List.Float].
func (l *ShareableList) Float(i int) (v float64, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("get")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.Float(i)
}

// Bool returns item i, which must be a bool. See [format.List.Bool].
func (l *ShareableList) Bool(i int) (v bool, err error) {
	if l.m.isClosed() {
		return false, l.m.errClosed("get")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.Bool(i)
}

// Str returns item i, which must be a str. See [format.List.Str].
func (l *ShareableList) Str(i int) (v string, err error) {
	if l.m.isClosed() {
		return "", l.m.errClosed("get")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.Str(i)
}

// Bytes returns a copy of item i, which must be a bytes. See [format.List.Bytes].
func (l *ShareableList) Bytes(i int) (v []byte, err error) {
	if l.m.isClosed() {
		return nil, l.m.errClosed("get")
	}
	defer l.m.leave("get", l.m.enter(), &err)
	return l.list.Bytes(i)
}

// AppendStr appends item i, which must be a str, to dst. See [format.List.AppendStr].
func (l *ShareableList) AppendStr(dst []byte, i int) (out []byte, err error) {
	if l.m.isClosed() {
		return dst, l.m.errClosed("get")
	}
	out = dst // the result after a fault
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("get", err, recover())
		}
	}()
	return l.list.AppendStr(dst, i)
}

// RawBytes returns a copy of the whole slot of item i, NULs included. See [format.List.RawBytes].
func (l *ShareableList) RawBytes(i int) (slot []byte, err error) {
	if l.m.isClosed() {
		return nil, l.m.errClosed("get")
	}
	defer l.m.leave("get", l.m.enter(), &err)
	return l.list.RawBytes(i)
}

// Slot describes where and how item i is stored. See [format.List.Slot].
func (l *ShareableList) Slot(i int) (slot format.Slot, err error) {
	if l.m.isClosed() {
		return format.Slot{}, l.m.errClosed("slot of")
	}
	defer l.m.leave("slot of", l.m.enter(), &err)
	return l.list.Slot(i)
}

// Values returns all the items, or the error of the first that cannot be read. See [format.List.Values].
func (l *ShareableList) Values() (values []any, err error) {
	if l.m.isClosed() {
		return nil, l.m.errClosed("get")
	}
	defer l.m.leave("get", l.m.enter(), &err)
	return l.list.Values()
}

// CopyInts copies the items from index from on, which must be ints, into dst. See [format.List.CopyInts].
func (l *ShareableList) CopyInts(dst []int64, from int) (n int, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("get")
	}
	defer l.m.leave("get", l.m.enter(), &err)
	return l.list.CopyInts(dst, from)
}

// CopyFloats copies the items from index from on, which must be floats, into dst. See [format.List.CopyFloats].
func (l *ShareableList) CopyFloats(dst []float64, from int) (n int, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("get")
	}
	defer l.m.leave("get", l.m.enter(), &err)
	return l.list.CopyFloats(dst, from)
}

// Index returns the first index whose item equals v. See [format.List.Index].
func (l *ShareableList) Index(v any) (i int, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("index")
	}
	defer l.m.leave("index", l.m.enter(), &err)
	return l.list.Index(v)
}

// Count returns how many items equal v. See [format.List.Count].
func (l *ShareableList) Count(v any) (n int, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("count")
	}
	defer l.m.leave("count", l.m.enter(), &err)
	return l.list.Count(v)
}

// Check validates the whole header. See [format.List.Check].
func (l *ShareableList) Check() (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("check")
	}
	defer l.m.leave("check", l.m.enter(), &err)
	return l.list.Check()
}

// Set stores v in item i. See [format.List.Set].
func (l *ShareableList) Set(i int, v any) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	defer l.m.leave("set", l.m.enter(), &err)
	return l.list.Set(i, v)
}

// SetInt stores an int in item i. See [format.List.SetInt].
func (l *ShareableList) SetInt(i int, v int64) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetInt(i, v)
}

// SetFloat stores a float in item i. See [format.List.SetFloat].
func (l *ShareableList) SetFloat(i int, v float64) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetFloat(i, v)
}

// SetBool stores a bool in item i. See [format.List.SetBool].
func (l *ShareableList) SetBool(i int, v bool) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetBool(i, v)
}

// SetStr stores a str in item i. See [format.List.SetStr].
func (l *ShareableList) SetStr(i int, v string) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetStr(i, v)
}

// SetBytes stores a bytes in item i. See [format.List.SetBytes].
func (l *ShareableList) SetBytes(i int, v []byte) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetBytes(i, v)
}

// SetNone stores None in item i. See [format.List.SetNone].
func (l *ShareableList) SetNone(i int) (err error) {
	if l.m.isClosed() {
		return l.m.errClosed("set")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = l.m.failed("set", err, recover())
		}
	}()
	return l.list.SetNone(i)
}

// AddInt adds delta to item i, which must be an int, and returns the sum. See [format.List.AddInt].
func (l *ShareableList) AddInt(i int, delta int64) (sum int64, err error) {
	if l.m.isClosed() {
		return 0, l.m.errClosed("add to")
	}
	defer l.m.leave("add to", l.m.enter(), &err)
	return l.list.AddInt(i, delta)
}

// CompareAndSwapInt stores new in item i, which must be an int, if it holds old. See [format.List.CompareAndSwapInt].
func (l *ShareableList) CompareAndSwapInt(i int, old, new int64) (swapped bool, err error) {
	if l.m.isClosed() {
		return false, l.m.errClosed("compare and swap")
	}
	defer l.m.leave("compare and swap", l.m.enter(), &err)
	return l.list.CompareAndSwapInt(i, old, new)
}
