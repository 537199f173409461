package pyshm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A ShareableList is a handle to a list in shared memory, the counterpart of
// Python's multiprocessing.shared_memory.ShareableList. It reads and writes the
// segment in place and keeps no copy of any item.
//
// It has the methods of [format.List], which documents them, their errors, and what
// several goroutines and processes may do at once. Here a truncated segment is
// [ErrFault] and a closed one [fs.ErrClosed], instead of a crash. For many items at a
// time, [ShareableList.Batch] saves most of the cost of a call.
type ShareableList struct {
	m    *SharedMemory
	list *format.List
}

// CreateList makes a segment that holds a list of the values and attaches to
// it. The table of package format has the types that an item may have; a
// [format.Sized] has room to grow. If the name is empty, CreateList chooses a name, as
// Python does.
//
// CPython 3.9 and later read the list, and so does PyPy. CPython 3.8 has another
// layout: it needs [Layout]([format.Sizes]).
//
// The name appears when the list is complete, so no process sees a part of it.
// The documentation of [Create] has more about names, errors and lifetimes.
func CreateList(name string, values []any, opts ...ListOption) (*ShareableList, error) {
	o := newCreateOptions(opts)
	e, err := format.NewEncoder(values, &format.Options{Layout: o.layout})
	if err != nil {
		return nil, wrap(opCreateList, name, err)
	}
	l, err := createList(name, e, o)
	return l, wrap(opCreateList, name, err)
}

// CreateListOf is [CreateList] for values of one type, without the cost of putting each
// value into an interface.
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

// content returns the content that e encodes. Its open makes l the handle to the list.
func (l *ShareableList) content(e *format.Encoder) content {
	return content{
		size: e.Size(),
		fill: func(w io.WriterAt) error {
			_, err := e.WriteTo(io.NewOffsetWriter(w, 0))
			return err
		},
		whole: true,
		open:  l.open,
	}
}

// AttachList attaches to an existing list, in either layout. It reads the header alone:
// [ShareableList.Check] validates the rest.
//
// A missing segment is [fs.ErrNotExist]. A segment that Python is still creating is
// [format.ErrIncomplete]. A segment that holds no list is [format.ErrCorrupt].
// AttachList never changes the segment.
func AttachList(name string, opts ...AttachOption) (*ShareableList, error) {
	l, err := attachList(name, newAttachOptions(opts))
	return l, wrap("attach list", name, err)
}

func attachList(name string, o attachOptions) (*ShareableList, error) {
	l := new(ShareableList)
	_, err := attachTo(segmentNames, name, o, l.open)
	return opened(l, err)
}

// AttachListContext is [AttachList] for a list that may not exist yet: it waits until
// the list exists and is complete, as [AttachContext] does. For a second it also waits
// for items that are half written. A writer that died has left an item that takes
// longer, and AttachListContext then attaches nevertheless.
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
func (l *ShareableList) open(m *SharedMemory, f *shmfile.File) error {
	return m.touch(func() (err error) {
		l.m = m
		l.list, err = format.AttachMapped(m.mem.Bytes(), f, m.readOnly)
		return err
	})
}

// SharedMemory returns the segment that holds the list. Closing it closes the
// list.
func (l *ShareableList) SharedMemory() *SharedMemory { return l.m }

// Name returns the name of the segment, without a slash, as Python's sl.shm.name does.
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
// If Python would raise an exception, the error is in the place of the items.
func (l *ShareableList) String() string {
	items := ""
	if values, err := l.Values(); err != nil {
		items = fmt.Sprintf("<%v>", err)
	} else {
		items = format.Repr(values)
	}
	return fmt.Sprintf("ShareableList(%s, name=%s)", items, format.Repr(l.Name()))
}

// Batch calls f with the list itself, so that many operations share the cost of one
// [SharedMemory.Guard], which describes what happens on a fault. f must not keep the
// list. The iterator of the list's All is guarded even on the goroutine of [iter.Pull].
func (l *ShareableList) Batch(f func(*format.List) error) error {
	return l.m.Guard(func() error { return f(l.list) })
}

// ViewInts returns the items as a slice of the memory itself. All items must be ints:
// a [format.ErrKind] names the first item of another kind. The slice has the same
// lifetime and the same dangers as the slice that [View] returns. It does not show
// a later change of an item's kind. Programs that attach again and again use
// [ShareableList.Batch] instead, or [WithView] on the list's [SharedMemory].
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

// uniform checks that all items are of one kind, in slots that follow each other
// without a gap, and returns the offset of the first slot.
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
