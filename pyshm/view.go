package pyshm

import (
	"fmt"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
)

// An Element is a type that any bytes are a valid value of, with the same size
// in every Go program and in numpy. Bool is none: another process may store a
// byte that is neither 0 nor 1, which Go code does not expect in a bool.
type Element interface {
	~int8 | ~int16 | ~int32 | ~int64 |
		~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64 | ~complex64 | ~complex128
}

// View returns n elements that begin offset bytes into the segment, in the
// machine's byte order, without copying them. The offset has to be a multiple
// of the alignment of T, else the reason is [format.ErrUnaligned].
//
// In Python, numpy.frombuffer(shm.buf, dtype, n, offset) is the same memory as an
// array. It holds the buffer, so that shm.close() raises BufferError while the array
// lives; an array made by numpy.ndarray(..., buffer=shm.buf) does not, and crashes
// Python when it is touched after the block is closed or collected.
//
// What is said of the slice that [SharedMemory.Bytes] returns is true of this
// one. [WithView] is for programs that attach again and again.
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

// WithView calls f with the slice that [View] would return. What
// [SharedMemory.WithBytes] says of its slice is true of this one.
func WithView[T Element](m *SharedMemory, offset, n int, f func(v []T) error) error {
	const op = "with view"
	if err := checkView[T](m, offset, n); err != nil {
		return wrap(op, m.Name(), err)
	}
	return m.guard(op, func() error { return f(elements[T](m.mem.Bytes(), offset, n)) })
}

// checkView returns what keeps n elements at an offset from being viewed.
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

// elements returns what checkView allows. Mappings begin at a page, so what the
// offset is aligned to, the address is.
func elements[T Element](memory []byte, offset, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory[offset:]))), n)
}
