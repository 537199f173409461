package pyshm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pyshm-go/pyshm/format"
)

// A ShareableList is a handle to a list in shared memory, the counterpart of
// Python's multiprocessing.shared_memory.ShareableList. It reads and writes the
// segment in place and keeps no copy of any item.
//
// Its methods are those of [format.List], whose documentation tells what they
// do, their errors, and what several goroutines and processes may do at once; here
// a truncated segment is [ErrFault] and a closed one [fs.ErrClosed], instead of a
// crash. Where many items are read or written at a time, [ShareableList.Batch]
// saves most of a call's cost.
type ShareableList struct {
	m    *SharedMemory
	list *format.List
}

// CreateList makes a segment that holds a list of the values and attaches to
// it. What an item may be is in the table of package format; a [format.Sized]
// has room to grow. With an empty name it chooses one, as Python does.
//
// CPython 3.9 and later read it, and PyPy; for CPython 3.8, which has another
// layout, give [Layout]([format.Sizes]).
//
// The name appears when the list is complete: who attaches sees all of it.
// [Create] says more about names, errors and lifetimes.
func CreateList(name string, values []any, opts ...ListOption) (*ShareableList, error) {
	o := newCreateOptions(opts)
	e, err := format.NewEncoder(values, &format.Options{Layout: o.layout})
	if err != nil {
		return nil, wrap(opCreateList, name, err)
	}
	l, err := createList(name, e, o)
	return l, wrap(opCreateList, name, err)
}

// CreateListOf is [CreateList] for values of one type, which it does not have
// to put into interfaces one by one.
func CreateListOf[T int64 | float64 | bool | string | []byte](name string, values []T, opts ...ListOption) (*ShareableList, error) {
	o := newCreateOptions(opts)
	e, err := format.NewEncoderOf(values, &format.Options{Layout: o.layout})
	if err != nil {
		return nil, wrap(opCreateList, name, err)
	}
	l, err := createList(name, e, o)
	return l, wrap(opCreateList, name, err)
}

const opCreateList = "create list"

func createList(name string, e *format.Encoder, o createOptions) (*ShareableList, error) {
	l := new(ShareableList)
	_, err := create(segmentNames, name, l.content(e), o)
	return opened(l, err)
}

// content is what e encodes. It opens l.
func (l *ShareableList) content(e *format.Encoder) content {
	return content{
		size: e.Size(),
		fill: func(w io.WriterAt) error {
			_, err := e.WriteTo(io.NewOffsetWriter(w, 0))
			return err
		},
		open: l.open,
	}
}

// AttachList attaches to an existing list, in whichever layout it is. It reads
// the header alone: [ShareableList.Check] validates the rest.
//
// A missing segment is [fs.ErrNotExist], one that is still being created
// [format.ErrIncomplete], and one that is no list [format.ErrCorrupt]. Whatever
// the outcome, the segment is as it was.
func AttachList(name string, opts ...AttachOption) (*ShareableList, error) {
	l, err := attachList(name, newAttachOptions(opts))
	return l, wrap("attach list", name, err)
}

func attachList(name string, o attachOptions) (*ShareableList, error) {
	m, err := mapName(segmentNames, name, o)
	if err != nil {
		return nil, err
	}
	l := new(ShareableList)
	if err := l.open(m); err != nil {
		m.discard()
		return nil, err
	}
	return l, nil
}

// AttachListContext is [AttachList] for a list that may not be there yet: it
// waits until the list exists and is complete, as [AttachContext] does. An item
// in the middle of a write counts as not complete for a second; what takes longer
// was left so by a writer that died, and does not keep the list from being used.
func AttachListContext(ctx context.Context, name string, opts ...AttachOption) (*ShareableList, error) {
	const patience = time.Second
	var busySince time.Time
	return await(ctx, func() (*ShareableList, error) {
		l, err := AttachList(name, opts...)
		if err != nil {
			return nil, err
		}
		err = l.Check()
		if !errors.Is(err, format.ErrBusy) {
			return l, nil
		}
		if busySince.IsZero() {
			busySince = time.Now()
		} else if time.Since(busySince) > patience {
			return l, nil
		}
		l.m.discard()
		return nil, wrap("attach list", name, fmt.Errorf("%w: %w", format.ErrIncomplete, err))
	})
}

// open makes l the handle to the list in m.
func (l *ShareableList) open(m *SharedMemory) error {
	attach := format.Attach
	if m.readOnly {
		attach = format.AttachReadOnly
	}
	return m.touch(func() (err error) {
		l.m = m
		l.list, err = attach(m.mem.Bytes())
		return err
	})
}

// SharedMemory returns the segment that holds the list. Closing it closes the
// list.
func (l *ShareableList) SharedMemory() *SharedMemory { return l.m }

// Name returns the name of the segment, without a slash: what Python's
// sl.shm.name shows.
func (l *ShareableList) Name() string { return l.m.Name() }

// Current is [SharedMemory.Current] for the segment that holds the list.
func (l *ShareableList) Current() (bool, error) { return l.m.Current() }

// Close is [SharedMemory.Close] for the segment that holds the list.
func (l *ShareableList) Close() error { return l.m.Close() }

// Unlink is [SharedMemory.Unlink] for the segment that holds the list.
func (l *ShareableList) Unlink() error { return l.m.Unlink() }

// String returns Python's repr of the list, for example
//
//	ShareableList([1, 'a', None], name='psm_0a1b2c3d')
//
// or, where Python would raise an exception, the error in the place of the
// items.
func (l *ShareableList) String() string {
	items := ""
	if values, err := l.Values(); err != nil {
		items = fmt.Sprintf("<%v>", err)
	} else {
		items = format.Repr(values)
	}
	return fmt.Sprintf("ShareableList(%s, name=%s)", items, format.Repr(l.Name()))
}

// Batch calls f with the list itself: many operations share the cost of one
// [SharedMemory.Guard], which also says what happens on a fault. f must not
// keep the list. The iterator that its All returns is guarded as well where
// [iter.Pull] runs it.
func (l *ShareableList) Batch(f func(*format.List) error) error {
	return l.m.Guard(func() error { return f(l.list) })
}

// ViewInts returns the items as a slice of the memory itself, which must all be
// ints: [format.ErrKind] tells the first that is not. What [View] says of its
// slice holds for this one. A later change of an item's kind does not show.
// Programs that attach again and again use [ShareableList.Batch] instead, or
// [WithView] on the list's [SharedMemory].
func (l *ShareableList) ViewInts() ([]int64, error) {
	return viewItems[int64](l, "view ints", format.Int)
}

// ViewFloats is [ShareableList.ViewInts] for floats.
func (l *ShareableList) ViewFloats() ([]float64, error) {
	return viewItems[float64](l, "view floats", format.Float)
}

func viewItems[T int64 | float64](l *ShareableList, op string, kind format.Kind) ([]T, error) {
	if l.m.isClosed() {
		return nil, l.m.errClosed(op)
	}
	start, err := l.uniform(op, kind)
	if err != nil {
		return nil, err
	}
	return View[T](l.m, start, l.list.Len())
}

// uniform checks that all items are of one kind in slots that follow each other
// without a gap, and returns where the first begins.
func (l *ShareableList) uniform(op string, kind format.Kind) (start int, err error) {
	defer l.m.leave(op, l.m.enter(), &err)
	next := 0
	for i := range l.list.Len() {
		slot, err := l.list.Slot(i)
		switch {
		case err != nil:
			return 0, err
		case slot.Kind != kind:
			return 0, &format.Error{Op: op, Index: i, Err: fmt.Errorf("%w: %v, not %v", format.ErrKind, slot.Kind, kind)}
		case i > 0 && (slot.Offset != next || slot.Capacity != 8):
			return 0, &format.Error{Op: op, Index: i, Err: fmt.Errorf("%w: its slot has another size", format.ErrKind)}
		case i == 0:
			start = slot.Offset
		}
		next = slot.Offset + 8
	}
	return start, nil
}

var (
	_ fmt.Stringer = (*ShareableList)(nil)
	_ io.Closer    = (*ShareableList)(nil)
)
