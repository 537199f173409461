package pyshm

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"

	"github.com/pyshm-go/pyshm/format/npy"
)

// Slice returns all elements in the order in which they lie in memory, without copying
// them: in C order, or in Fortran order if [Array.Fortran] reports so. The slice is like
// the slice of [SharedMemory.Bytes]: nothing guards its use, and its addresses stay
// reserved for the life of the process. Programs that attach again and again use
// [Array.Guard] and [Array.Rows] instead.
//
// The error is [npy.ErrShape] if the array has gaps, reversed axes or the like,
// [npy.ErrByteOrder] if the elements are in another byte order, and
// [format.ErrUnaligned] if they are not aligned as in Go. [Array.CopyTo] copies all such
// arrays.
func (a *Array[T]) Slice() ([]T, error) {
	const op = "slice"
	if a.m.isClosed() {
		return nil, a.m.errClosed(op)
	}
	if err := a.whole(); err != nil {
		return nil, wrap(op, a.m.name, err)
	}
	memory := a.m.Bytes()
	if memory == nil { // closed since
		return nil, a.m.errClosed(op)
	}
	return elements[T](memory, a.offset, a.n), nil
}

// Guard calls f with the slice that [Array.Slice] would return, under a
// [SharedMemory.Guard], and returns the error of f. The slice is like the slice of
// [SharedMemory.WithBytes]: f must not keep it, and writing to a [ReadOnly] array is
// [ErrFault].
func (a *Array[T]) Guard(f func(all []T) error) error {
	const op = "guard"
	if a.m.isClosed() {
		return a.m.errClosed(op)
	}
	if err := a.whole(); err != nil {
		return wrap(op, a.m.name, err)
	}
	return a.m.guard(op, func() error { return f(elements[T](a.memory, a.offset, a.n)) })
}

// whole returns why the elements are not one slice.
func (a *Array[T]) whole() error {
	switch {
	case a.copying != nil:
		return a.copying
	case !a.inOrder(false) && !a.inOrder(true):
		return &reason{fmt.Sprintf("strides %v of shape %s are neither C nor Fortran order: CopyTo copies the elements", a.strides, tuple(a.shape)), npy.ErrShape}
	}
	return nil
}

// Rows lends the rows of the array, without copying them, each with its index i. A row is
// numpy's a[i]: all elements with index i on the first axis, in C order. An array of one
// axis or none is one row. The loop must not keep a row: after Close its addresses are
// used again.
//
// An iterator cannot return an error, so Rows panics. It panics if the segment is closed
// or truncated, or if a row cannot be a slice, because the elements are in Fortran order,
// have gaps along another axis than the first, are in another byte order, or share
// memory. [SharedMemory.Guard] around the loop returns the error instead, which is the
// same as from [Array.Slice]. So nothing that other processes do ends the program:
//
//	err := a.SharedMemory().Guard(func() error {
//		for i, row := range a.Rows() {
//			...
//		}
//		return nil
//	})
func (a *Array[T]) Rows() iter.Seq2[int, []T] {
	return func(yield func(int, []T) bool) {
		rows, n, step, err := a.rows()
		if err != nil {
			panic(&rowsError{a.m, wrap(opRows, a.m.Name(), err)})
		}
		defer a.m.leaveRows(a.m.enter())
		for i := range rows {
			if !yield(i, elements[T](a.memory, a.offset+i*step, n)) {
				return
			}
		}
	}
}

const opRows = "rows"

// rows returns the number of rows, how many elements each has, and the stride.
func (a *Array[T]) rows() (rows, n, step int, err error) {
	switch {
	case a.m.isClosed():
		return 0, 0, 0, errClosed
	case a.copying != nil:
		return 0, 0, 0, a.copying
	case a.shared:
		return 0, 0, 0, errOverlap
	case len(a.shape) < 2:
		rows, n = 1, a.n
	case a.n == 0:
		rows = a.shape[0]
	default:
		rows, n, step = a.shape[0], a.n/a.shape[0], a.strides[0]
	}
	row := a.placement
	if len(a.shape) > 1 {
		row = newPlacement(a.shape[1:], a.strides[1:], a.offset, a.size)
	}
	if !row.inOrder(false) {
		return 0, 0, 0, &reason{fmt.Sprintf("with strides %v of shape %s, rows are not in C order: CopyTo copies the elements", a.strides, tuple(a.shape)), npy.ErrShape}
	}
	return rows, n, step, nil
}

// A rowsError is the value of a panic in Rows.
type rowsError struct {
	of  *SharedMemory
	err error
}

func (e *rowsError) Error() string { return e.err.Error() }
func (e *rowsError) Unwrap() error { return e.err }

// leaveRows is leave for a caller that cannot return an error. Defer it in the function
// that has the loop over rows.
func (m *SharedMemory) leaveRows(old bool) {
	debug.SetPanicOnFault(old)
	if r := recover(); r != nil {
		panic(&rowsError{m, wrap(opRows, m.name, m.faultError(r))})
	}
	runtime.KeepAlive(m)
}
