package pyshm

import (
	"fmt"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
)

// An Element is a type for which any bytes are a valid value, and which has the same
// size in every Go program and in numpy. Bool is not one: another process may store a
// byte other than 0 and 1, which Go code does not expect in a bool.
type Element interface {
	~int8 | ~int16 | ~int32 | ~int64 |
		~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64 | ~complex64 | ~complex128
}

// View returns n elements that begin offset bytes into the segment, in the
// machine's byte order, without copying them. The offset has to be a multiple
// of the alignment of T, else the reason is [format.ErrUnaligned]. On 32-bit processors
// that is at most 4, while sync/atomic needs a multiple of 8 for numbers of 64 bits.
//
// In Python, numpy.frombuffer(shm.buf, dtype, n, offset) is the same memory as an
// array. This array holds the buffer, so shm.close() raises BufferError while the array
// lives. An array made by numpy.ndarray(..., buffer=shm.buf) does not hold the buffer:
// it crashes Python when it is touched after the segment is closed or collected.
//
// The slice has the same lifetime and the same dangers as the slice that
// [SharedMemory.Bytes] returns. Programs that attach again and again use [WithView].
func View[T Element](m *SharedMemory, offset, n int) ([]T, error) {
	const op = "view"
	if err := checkView[T](m, offset, n); err != nil {
		return nil, wrap(op, m.Name(), err)
	}
	memory := m.Bytes()
	if memory == nil { // closed since
		return nil, m.errClosed(op)
	}
	return elements[T](memory, offset, n), nil
}

// WithView calls f with the slice that [View] would return, as [SharedMemory.WithBytes]
// calls f with the whole memory. f must not keep the slice.
func WithView[T Element](m *SharedMemory, offset, n int, f func(v []T) error) error {
	const op = "with view"
	if err := checkView[T](m, offset, n); err != nil {
		return wrap(op, m.Name(), err)
	}
	return m.guard(op, func() error { return f(elements[T](m.mem.Bytes(), offset, n)) })
}

// checkView returns an error if a view cannot have n elements at the offset.
func checkView[T Element](m *SharedMemory, offset, n int) error {
	size := int(unsafe.Sizeof(*new(T)))
	align := int(unsafe.Alignof(*new(T)))
	switch total := m.Size(); {
	case m.isClosed():
		return errClosed
	case offset < 0 || offset > total || n < 0 || n > (total-offset)/size:
		return invalid("%d elements of %d bytes at offset %d exceed the size of %d", n, size, offset, total)
	case offset%align != 0:
		return &reason{
			text: fmt.Sprintf("offset %d is not a multiple of %d", offset, align),
			kind: format.ErrUnaligned,
		}
	}
	return nil
}

// elements returns the slice that checkView allows. Mappings begin at a page, so the
// address is aligned if the offset is.
func elements[T any](memory []byte, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory[offset:]))), n)
}
