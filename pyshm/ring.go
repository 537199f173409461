package pyshm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// ErrNoFrame is the reason when no frame has been published in a ring yet.
var ErrNoFrame = errors.New("no frame has been published yet")

// ErrOutrun is the reason when a reader has tried many times to copy the newest frame of
// a ring, and each time the writer has come round and overwritten the slot. More slots
// help, and so does a writer that pauses.
var ErrOutrun = errors.New("the writer overwrites frames faster than they can be copied")

// ErrNotRing is the reason when a segment does not hold a ring, or when its slots have
// numbers that no writer of a ring stores.
var ErrNotRing = errors.New("not a ring")

// ErrSecondWriter is the reason when another writer has used a slot of a ring while this
// one wrote to it.
var ErrSecondWriter = errors.New("a ring has one writer, and another one is at work")

// A Ring is a handle to a ring of frames in shared memory. A frame is an array of
// elements of type T, such as a picture, a batch of samples or a single record. One
// writer publishes frames, in Go or in Python. Any number of readers in any process copy
// the newest frame, whole, without a lock. A writer never waits for readers, and readers
// miss frames that they are too slow for.
//
// T is a number of fixed size, an array of such numbers, or a struct. [npy.DtypeOf] lists
// the types and the tags.
//
// The ring is a .npy file in a segment, with a record for each slot:
//
//	[('begin', '<u8'), ('end', '<u8'), ('frame', dtype, shape)]
//
// Frames are numbered from 1, and frame n is in slot n modulo the number of slots. A
// writer stores n in begin, then the frame, then n in end. A slot is whole if begin and end
// are equal. Python needs numpy alone for this, any version from 1.17 on:
//
//	ring = np.load("/dev/shm/NAME", mmap_mode="r+")
//	begin, end, frame = ring["begin"], ring["end"], ring["frame"]
//	n = int(end.max())                      # go on where the last writer stopped
//
//	n += 1; i = n % len(ring)               # publish a frame
//	begin[i] = n; frame[i] = picture; end[i] = n
//
//	i = end.argmax(); n = int(end[i])       # read the newest one
//	picture = frame[i].copy()
//	whole = begin[i] == n > 0               # if not: again
//
// The functions attach_ring and create_ring of pyshm_attach.py do this, with limits and
// errors. On processors other than x86, Python's stores and loads have no order without
// barriers between them. That module has barriers, too.
//
// Whatever a writer does, a reader does not crash, hang or allocate. If a writer does not
// keep to the protocol, its frames may be wrong, and a reader cannot notice. The methods
// fail with [ErrFault] if the ring is truncated, and with [fs.ErrClosed] if it is closed.
//
// The methods may be called by several goroutines at once, Close included.
type Ring[T any] struct {
	m       *SharedMemory // nil in the zero value
	slots   ringSlots
	dtype   npy.Dtype // of an element, as numpy has it
	given   []int     // the shape of a frame in numpy
	shape   []int     // the shape of a frame of elements T
	n       int       // elements T in a frame
	writing sync.Mutex
	signals atomic.Pointer[[]*Semaphore]
	waitOn  atomic.Pointer[Semaphore]
}

// The numbers of slots that a ring may have. With one slot, a writer that dies would leave
// no frame, and readers would hardly ever find a whole one. There is an upper limit because
// readers look at all slots.
const minSlots, maxSlots = 2, 1 << 16

// CreateRing makes a segment that holds an empty ring and attaches to it. The ring has the
// number of slots, from 2 to 65536, each for a frame of the shape; 3 or 4 slots are enough
// in practice. A shape of no axes is a frame of a single T.
//
// The error is [npy.ErrShape] for a shape that no frame can have. It is [npy.ErrDtype] for
// a T that cannot be shared, and for a frame of 2 GiB or more, because numpy has no such
// records. See [Create] for names, other errors and lifetimes.
func CreateRing[T any](name string, slots int, shape []int, opts ...CreateOption) (*Ring[T], error) {
	r, err := createRing[T](slots, shape, func(c content) (*SharedMemory, error) {
		return create(segmentNames, name, c, newCreateOptions(opts))
	})
	return r, wrap("create ring", name, err)
}

// createRing makes a ring in a segment. The function make creates the segment from the
// content.
func createRing[T any](slots int, shape []int, make func(content) (*SharedMemory, error)) (*Ring[T], error) {
	if slots < minSlots || slots > maxSlots {
		return nil, invalid("a ring has %d to %d slots, not %d", minSlots, maxSlots, slots)
	}
	d, err := slotDtype[T](shape)
	if err != nil {
		return nil, ofNpy(err)
	}
	h := npy.Header{Dtype: d, Shape: []int{slots}}
	text, err := npy.AppendHeader(nil, h)
	if err != nil {
		return nil, ofNpy(err)
	}
	size, _ := h.Size() // AppendHeader has checked the size
	if size > math.MaxInt-len(text) {
		return nil, &reason{"the ring and its header have more bytes than fit an int", npy.ErrShape}
	}
	r := new(Ring[T])
	_, err = make(content{
		size: len(text) + size,
		fill: func(w io.WriterAt) error {
			_, err := w.WriteAt(text, 0)
			return err
		},
		open: r.open,
	})
	return opened(r, err)
}

// slotDtype returns the dtype of a slot, as np.dtype(..., align=True) makes it.
func slotDtype[T any](shape []int) (npy.Dtype, error) {
	own, err := npy.DtypeOf[T]()
	if err != nil {
		return npy.Dtype{}, err
	}
	frame := npy.Header{Dtype: own.Elem(), Shape: slices.Concat(shape, own.Shape())}
	size, err := frame.Size()
	switch {
	case err != nil:
		return npy.Dtype{}, err
	case size == 0:
		return npy.Dtype{}, &reason{fmt.Sprintf("a frame of shape %s has no elements", tuple(shape)), npy.ErrShape}
	}
	text := fmt.Sprintf("[('begin', '=u8'), ('end', '=u8'), ('frame', %s", quotedDtype(frame.Dtype))
	if len(frame.Shape) > 0 {
		text += ", " + tuple(frame.Shape)
	}
	text += ")"
	if padding := -size & (wordSize - 1); padding > 0 {
		text += fmt.Sprintf(", ('', '|V%d')", padding)
	}
	return npy.ParseDtype(text + "]")
}

// quotedDtype returns a dtype as a literal of Python.
func quotedDtype(d npy.Dtype) string {
	text := d.String()
	if strings.HasPrefix(text, "[") {
		return text
	}
	return format.Repr(text)
}

// AttachRing attaches to an existing ring, whichever program has made it. It compares the
// header with T once, and changes nothing.
//
// The error is
//
//   - [fs.ErrNotExist] if there is no segment of that name
//   - [format.ErrIncomplete] if the ring is not complete
//   - [npy.ErrHeader] if the segment has no .npy header
//   - [ErrNotRing] if it holds an array that is no ring
//   - [npy.ErrMismatch] if the elements of a frame are not of type T
//   - [npy.ErrByteOrder] if numbers are in another byte order
//
// If T is a Go array, its axes are the last axes of a frame in numpy: for frames of shape
// (480, 640, 3), a Ring[[3]uint8] has frames of shape (480, 640).
func AttachRing[T any](name string, opts ...AttachOption) (*Ring[T], error) {
	r, err := attachRing[T](name, newAttachOptions(opts))
	return r, wrap("attach ring", name, err)
}

func attachRing[T any](name string, o attachOptions) (*Ring[T], error) {
	r := new(Ring[T])
	_, err := attachTo(segmentNames, name, o, r.open)
	return opened(r, err)
}

// AttachRingContext is [AttachRing] for a ring that may not be there yet: it waits until
// the ring exists and is complete, as [AttachContext] does. The ring may still be empty.
func AttachRingContext[T any](ctx context.Context, name string, opts ...AttachOption) (*Ring[T], error) {
	return await(ctx, func() (*Ring[T], error) { return AttachRing[T](name, opts...) })
}

// OpenRing attaches to the ring that has the name, or creates it as [CreateRing] does if
// there is no segment of that name. Otherwise it is like [Open]. A ring of another shape
// or number of slots is [fs.ErrExist].
//
// A writer that may be restarted calls OpenRing: readers keep their handles, and the
// numbers go on.
func OpenRing[T any](name string, slots int, shape []int, opts ...OpenOption) (*Ring[T], error) {
	r, err := openRing[T](name, slots, shape, newCreateOptions(opts))
	return r, wrap("open ring", name, err)
}

func openRing[T any](name string, slots int, shape []int, o createOptions) (r *Ring[T], err error) {
	err = openOrCreate(func() error {
		r, err = attachRing[T](name, attachOptions{})
		if err != nil || r.slots.count == slots && slices.Equal(r.shape, shape) {
			return err
		}
		defer r.m.discard()
		return &reason{
			fmt.Sprintf("the ring has %d slots of shape %s, not %d of shape %s", r.slots.count, tuple(r.shape), slots, tuple(shape)),
			fs.ErrExist,
		}
	}, func() error {
		r, err = createRing[T](slots, shape, func(c content) (*SharedMemory, error) { return createNamed(name, c, o) })
		return err
	})
	return opened(r, err)
}

// open makes r the handle to the ring in m.
func (r *Ring[T]) open(m *SharedMemory, f *shmfile.File) error {
	own, err := npy.DtypeOf[T]()
	if err != nil {
		return ofNpy(err)
	}
	h, offset, err := m.describeFile(f)
	if err != nil {
		return err
	}
	slots, frame, err := slotsOf(h, offset)
	if err != nil {
		return err
	}
	as, err := frame.As(own)
	if err != nil {
		return ofNpy(err)
	}
	align := int(unsafe.Alignof(*new(T)))
	if (offset|slots.step|slots.frame)%align != 0 {
		return &reason{fmt.Sprintf("frames are not at multiples of %d: make the dtype with align=True", align), format.ErrUnaligned}
	}
	n, err := as.Len()
	if err != nil {
		return ofNpy(err)
	}
	slots.memory, slots.first, slots.size = m.mem.Bytes(), offset, n*own.Size()
	r.m, r.slots, r.dtype, r.given, r.shape, r.n = m, slots, frame.Dtype, frame.Shape, as.Shape, n
	return nil
}

// slotsOf returns the places of the fields in the slots of a ring, and the header of a
// frame as an array.
func slotsOf(h npy.Header, offset int) (slots ringSlots, frame npy.Header, err error) {
	fail := func(format string, args ...any) (ringSlots, npy.Header, error) {
		return ringSlots{}, npy.Header{}, &reason{fmt.Sprintf("not a ring: "+format, args...), ErrNotRing}
	}
	fields := h.Dtype.Fields()
	if len(fields) != 3 || fields[0].Name != "begin" || fields[1].Name != "end" || fields[2].Name != "frame" {
		return fail("the elements are not records of begin, end and frame")
	}
	if len(h.Shape) != 1 || h.Shape[0] < minSlots || h.Shape[0] > maxSlots {
		return fail("the shape is %s, not (K,) with K from %d to %d", tuple(h.Shape), minSlots, maxSlots)
	}
	word, err := npy.DtypeOf[uint64]()
	if err != nil {
		return ringSlots{}, npy.Header{}, ofNpy(err)
	}
	for _, f := range fields[:2] {
		if err := f.Dtype.Check(word); err != nil {
			return ringSlots{}, npy.Header{}, &reason{fmt.Sprintf("%s: %v", f.Name, ofNpy(err)), errors.Join(ErrNotRing, err)}
		}
	}
	slots = ringSlots{step: h.Dtype.Size(), count: h.Shape[0], begin: fields[0].Offset, end: fields[1].Offset, frame: fields[2].Offset}
	if (offset|slots.step|slots.begin|slots.end)%wordSize != 0 {
		return fail("the numbers in its slots are not at multiples of %d: make the dtype with align=True, and on 386 with offsets and an itemsize", wordSize)
	}
	return slots, npy.Header{Dtype: fields[2].Dtype.Elem(), Shape: fields[2].Dtype.Shape()}, nil
}

// SharedMemory returns the segment that holds the ring. Closing it closes the ring.
func (r *Ring[T]) SharedMemory() *SharedMemory { return r.m }

// Name returns the name of the segment, without a slash.
func (r *Ring[T]) Name() string { return r.m.Name() }

// Current is [SharedMemory.Current] for the segment that holds the ring.
func (r *Ring[T]) Current() (bool, error) { return r.m.Current() }

// Close is [SharedMemory.Close] for the segment that holds the ring. A [Ring.Next] that
// waits returns [fs.ErrClosed], within 50 ms.
func (r *Ring[T]) Close() error { return r.m.Close() }

// Unlink is [SharedMemory.Unlink] for the segment that holds the ring.
func (r *Ring[T]) Unlink() error { return r.m.Unlink() }

// Slots returns the number of slots.
func (r *Ring[T]) Slots() int { return r.slots.count }

// Len returns the number of elements in a frame.
func (r *Ring[T]) Len() int { return r.n }

// Shape returns the lengths of a frame's axes.
func (r *Ring[T]) Shape() []int { return append([]int{}, r.shape...) }

// Dtype returns the dtype that the elements of a frame have in numpy. If T is a Go array,
// it is the dtype of T's elements.
func (r *Ring[T]) Dtype() npy.Dtype { return r.dtype }

// String returns the name, the number of slots, and the shape and dtype of a frame in
// numpy, for example
//
//	Ring('camera', slots=4, shape=(480, 640, 3), dtype='|u1')
func (r *Ring[T]) String() string {
	return fmt.Sprintf("Ring(%s, slots=%d, shape=%s, dtype=%s)", format.Repr(r.Name()), r.slots.count, tuple(r.given), quotedDtype(r.dtype))
}

var (
	_ fmt.Stringer = (*Ring[uint8])(nil)
	_ io.Closer    = (*Ring[uint8])(nil)
)
