package pyshm

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// An Array is a handle to a numpy array in shared memory whose elements are Go values
// of type T: a number of fixed size, an array of such numbers, or a struct.
// [npy.DtypeOf] lists the types and the tags.
//
// [CreateArray] and [AttachArray] are for an array that is a .npy file in a segment, and
// so describes its own elements. In Python
//
//	a = np.load("/dev/shm/NAME", mmap_mode="r+")
//
// is the same memory, in every numpy from 1.17 on, without a resource tracker.
// [ViewArray] is for a part of a segment without a header, which a message describes.
// Such an array may be in C or in Fortran order, or have the strides of an array that
// numpy has sliced, reversed, transposed or broadcast.
//
// [Array.At], [Array.Set], [Array.CopyTo] and [Array.CopyFrom] work for every layout and
// byte order. If the elements lie as in Go, [Array.Guard] and [Array.Rows] lend the
// memory itself, and [Array.Slice] returns it. A reader may see a part of a value that
// another process writes at the same time: elements are plain memory, and only a shared
// lock orders reads and writes.
//
// Its methods may be called by several goroutines at once, Close included. They fail with
// [ErrFault] if the array is truncated, with [fs.ErrClosed] if it is closed, and with
// [fs.ErrPermission] if they would write to a [ReadOnly] array.
type Array[T any] struct {
	m      *SharedMemory
	memory []byte // all of the segment
	header npy.Header
	placement
	given   []int // strides of the header's axes
	copying error // why elements can only be copied; nil if Go can use them in place
	shared  bool  // elements overlap
}

// CreateArray makes a segment that holds an array of zeros in C order and attaches to
// it. A shape of no axes is a single element. A shape with an axis of length 0 has no
// elements. The error is [npy.ErrShape] for a negative length, for more than
// [npy.MaxDims] axes, and for more bytes than fit an int. It is [npy.ErrDtype] for a T
// that cannot be shared.
//
// See [Create] for names, other errors and lifetimes.
func CreateArray[T any](name string, shape []int, opts ...CreateOption) (*Array[T], error) {
	a, err := createArray[T](shape, func(c content) (*SharedMemory, error) {
		return create(segmentNames, name, c, newCreateOptions(opts))
	})
	return a, wrap(opCreateArray, name, err)
}

const opCreateArray = "create array"

// createArray makes an array in a segment. The function make creates the segment from
// the content.
func createArray[T any](shape []int, make func(content) (*SharedMemory, error)) (*Array[T], error) {
	d, err := npy.DtypeOf[T]()
	if err != nil {
		return nil, ofNpy(err)
	}
	h := npy.Header{Dtype: d, Shape: shape}
	text, err := npy.AppendHeader(nil, h)
	if err != nil {
		return nil, ofNpy(err)
	}
	size, _ := h.Size() // AppendHeader has checked the size
	if size > math.MaxInt-len(text) {
		return nil, &reason{"the array and its header have more bytes than fit an int", npy.ErrShape}
	}
	a := new(Array[T])
	_, err = make(content{
		size: len(text) + size,
		fill: func(w io.WriterAt) error {
			_, err := w.WriteAt(text, 0)
			return err
		},
		open: a.open,
	})
	return opened(a, err)
}

// AttachArray attaches to an existing array: a .npy file in a segment, whichever program
// has made it. It compares the header with T once: names, offsets, sizes, kinds, units
// and padding. It changes nothing.
//
// The error is
//
//   - [fs.ErrNotExist] if there is no segment of that name
//   - [format.ErrIncomplete] if the array is not complete: its header or its data are cut
//     short, or its header is still zeros
//   - [npy.ErrHeader] if the segment holds no array
//   - [npy.ErrMismatch] if the elements are not of type T; it names the field that differs
//
// Elements in another byte order can be copied. The methods that lend or return the
// memory itself, such as [Array.Slice], then fail with [npy.ErrByteOrder].
//
// If T is a Go array, its axes are the last ones of the array in the segment: an image of
// shape (480, 640, 3) is an Array[[3]uint8] of shape (480, 640).
func AttachArray[T any](name string, opts ...AttachOption) (*Array[T], error) {
	a, err := attachArray[T](name, newAttachOptions(opts))
	return a, wrap("attach array", name, err)
}

func attachArray[T any](name string, o attachOptions) (*Array[T], error) {
	a := new(Array[T])
	_, err := attachTo(segmentNames, name, o, a.open)
	return opened(a, err)
}

// AttachArrayContext is [AttachArray] for an array that may not be there yet: it waits
// until the array exists and is complete, as [AttachContext] does.
func AttachArrayContext[T any](ctx context.Context, name string, opts ...AttachOption) (*Array[T], error) {
	return await(ctx, func() (*Array[T], error) { return AttachArray[T](name, opts...) })
}

// OpenArray attaches to the array that has the name, or creates it as [CreateArray] does
// if there is no segment of that name. Otherwise it is like [Open]. An array of another
// shape is [fs.ErrExist].
func OpenArray[T any](name string, shape []int, opts ...OpenOption) (*Array[T], error) {
	a, err := openArray[T](name, shape, newCreateOptions(opts))
	return a, wrap("open array", name, err)
}

func openArray[T any](name string, shape []int, o createOptions) (a *Array[T], err error) {
	err = openOrCreate(func() error {
		a, err = attachArray[T](name, attachOptions{})
		if err != nil || slices.Equal(a.shape, shape) {
			return err
		}
		defer a.m.discard()
		return &reason{fmt.Sprintf("the array has shape %s, not %s", tuple(a.shape), tuple(shape)), fs.ErrExist}
	}, func() error {
		a, err = createArray[T](shape, func(c content) (*SharedMemory, error) { return createNamed(name, c, o) })
		return err
	})
	return opened(a, err)
}

// Describe returns the header of the array in a segment, for programs that do not know
// its elements in advance. It fails as [AttachArray] does.
func Describe(m *SharedMemory) (npy.Header, error) {
	const op = "describe"
	if m.isClosed() {
		return npy.Header{}, m.errClosed(op)
	}
	h, _, err := m.describe()
	return h, wrap(op, m.Name(), err)
}

// describe returns the header and where the data begins.
func (m *SharedMemory) describe() (h npy.Header, offset int, err error) {
	err = m.touch(func() (err error) {
		h, offset, err = arrayHeader(m.mem.Bytes(), m.Size())
		return err
	})
	return h, offset, err
}

// describeFile is describe for a segment whose file is open. It reads the header from
// the file, which takes a microsecond: the first page fault of a mapping takes as long as
// all the rest of [Attach]. Whatever is not a short, complete header is for describe to
// judge.
func (m *SharedMemory) describeFile(f *shmfile.File) (h npy.Header, offset int, err error) {
	var head [1 << 10]byte
	n, err := f.ReadAt(head[:], 0)
	if err == nil || err == io.EOF {
		h, offset, err = arrayHeader(head[:min(n, m.Size())], m.Size())
	}
	if err != nil {
		return m.describe()
	}
	return h, offset, nil
}

// arrayHeader returns the header of an array in a segment of segmentSize bytes that
// begins with head, and where the data begins.
func arrayHeader(head []byte, segmentSize int) (h npy.Header, offset int, err error) {
	h, offset, err = npy.ParseHeader(head)
	if err != nil {
		return npy.Header{}, 0, ofNpy(err)
	}
	size, err := h.Size()
	if there := segmentSize - offset; err == nil && size > there {
		err = &reason{
			fmt.Sprintf("%d bytes of data are announced, and %d are there: its creator is at work, or it was cut short", size, there),
			format.ErrIncomplete,
		}
	}
	return h, offset, ofNpy(err)
}

// open makes a the handle to the array in m.
func (a *Array[T]) open(m *SharedMemory, f *shmfile.File) error {
	h, offset, err := m.describeFile(f)
	if err != nil {
		return err
	}
	return a.view(m, h, h.Strides(), offset)
}

// view makes a the handle to an array in m. The array has the header h and the strides,
// and its first element is at offset. view fails if a program can neither use its
// elements as T, nor copy them as T.
func (a *Array[T]) view(m *SharedMemory, h npy.Header, strides []int, offset int) error {
	own, err := npy.DtypeOf[T]()
	if err != nil {
		return ofNpy(err)
	}
	asOwn, order, err := inOrderOf(own, h)
	if err != nil {
		return ofNpy(err)
	}
	all := newPlacement(slices.Clone(h.Shape), strides, offset, h.Dtype.Size())
	if err := all.check(m.Size()); err != nil {
		return err
	}
	p, err := all.within(len(asOwn.Shape), own.Size())
	if err != nil {
		return err
	}
	align := int(unsafe.Alignof(*new(T)))
	if order == nil && !p.aligned(align) {
		order = &reason{fmt.Sprintf("elements at offset %d with strides %v are not at multiples of %d", offset, strides, align), format.ErrUnaligned}
	}
	*a = Array[T]{m: m, memory: m.mem.Bytes(), header: h, placement: p, given: strides, copying: order, shared: all.overlaps()}
	return nil
}

// inOrderOf is [npy.Header.As], but returns order, an error of its own, if nothing but
// the byte order differs: such elements can be copied.
func inOrderOf(own npy.Dtype, h npy.Header) (as npy.Header, order, err error) {
	h.Fortran = false // the strides determine the order
	as, err = h.As(own)
	if !h.Dtype.Swapped() || err == nil {
		return as, nil, err
	}
	order = ofNpy(err)
	h.Dtype = h.Dtype.Native()
	as, err = h.As(own)
	return as, order, err
}

// SharedMemory returns the segment that holds the array. Closing it closes the array.
func (a *Array[T]) SharedMemory() *SharedMemory { return a.m }

// Name returns the name of the segment, without a slash.
func (a *Array[T]) Name() string { return a.m.Name() }

// Current is [SharedMemory.Current] for the segment that holds the array.
func (a *Array[T]) Current() (bool, error) { return a.m.Current() }

// Close is [SharedMemory.Close] for the segment that holds the array.
func (a *Array[T]) Close() error { return a.m.Close() }

// Unlink is [SharedMemory.Unlink] for the segment that holds the array.
func (a *Array[T]) Unlink() error { return a.m.Unlink() }

// Len returns the number of elements.
func (a *Array[T]) Len() int { return a.n }

// Shape returns the lengths of the axes.
func (a *Array[T]) Shape() []int { return append([]int{}, a.shape...) }

// Strides returns the distance in bytes to the next element along each axis. The stride
// of an axis with fewer than two elements means nothing.
func (a *Array[T]) Strides() []int { return append([]int{}, a.strides...) }

// Fortran reports whether the elements lie in Fortran order, the first axis varying
// fastest. It is false if they lie in C order, too, and for arrays with gaps.
func (a *Array[T]) Fortran() bool { return a.fortran() }

// Dtype returns the dtype that the memory has in numpy, with its names, titles and byte
// order. If T is a Go array, Dtype returns the dtype of T's elements, and the shape in
// numpy has T's axes too.
func (a *Array[T]) Dtype() npy.Dtype { return a.header.Dtype }

// String returns the name, shape and dtype, for example
//
//	Array('frames', shape=(480, 640), dtype='|u1')
func (a *Array[T]) String() string {
	return fmt.Sprintf("Array(%s, shape=%s, dtype=%s)", format.Repr(a.Name()), tuple(a.header.Shape), quotedDtype(a.header.Dtype))
}

// tuple returns a shape as Python prints it.
func tuple(shape []int) string {
	text := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(shape), "[]")), ", ")
	if len(shape) == 1 {
		text += ","
	}
	return "(" + text + ")"
}

var (
	_ fmt.Stringer = (*Array[uint8])(nil)
	_ io.Closer    = (*Array[uint8])(nil)
)
