package pyshm

import (
	"fmt"
	"unsafe"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/words"
)

// At returns the element at an index, which has a number for each axis, from 0 on. It
// fails with [format.ErrIndex] if there is no such element.
//
// A number of up to 8 bytes is loaded in one step. A record that another process writes
// meanwhile may be in part old and in part new.
func (a *Array[T]) At(index ...int) (v T, err error) {
	const op = "at"
	at, ok := a.at(index)
	if a.m.isClosed() {
		return v, a.m.errClosed(op)
	}
	if !ok {
		return v, wrap(op, a.m.name, a.indexError(index))
	}
	defer a.m.leave(op, a.m.enter(), &err)
	if a.copying == nil {
		return *(*T)(unsafe.Pointer(&a.memory[at])), nil
	}
	err = a.load(&v, at)
	return v, err
}

// Set stores an element at an index, which is as in [Array.At]. It fails with
// [npy.ErrShape] if elements share memory, as in an array that numpy has broadcast.
func (a *Array[T]) Set(v T, index ...int) (err error) {
	const op = "set"
	at, ok := a.at(index)
	if a.m.isClosed() {
		return a.m.errClosed(op)
	}
	if a.m.readOnly || a.shared || !ok {
		return wrap(op, a.m.name, a.setError(index))
	}
	defer a.m.leave(op, a.m.enter(), &err)
	if a.copying == nil {
		*(*T)(unsafe.Pointer(&a.memory[at])) = v
		return nil
	}
	return a.store(at, v)
}

// setError returns why an element cannot be set.
func (a *Array[T]) setError(index []int) error {
	if err := a.writable(); err != nil {
		return err
	}
	return a.indexError(index)
}

// writable returns why no element can be set, nil if elements can be set.
func (a *Array[T]) writable() error {
	switch {
	case a.m.readOnly:
		return errReadOnly
	case a.shared:
		return errOverlap
	}
	return nil
}

var errOverlap = &reason{"elements share memory, so that setting one would change others", npy.ErrShape}

// CopyTo copies elements to dst in C order, the last axis varying fastest, whatever
// their order in memory is. It copies all elements, or as many as dst has room for, and
// returns their number. It turns elements in another byte order. Between 1 and 32 MB it
// takes less time than Go's copy to or from a Slice, which passes by the processor's caches.
//
// After a fault n is 0, and the content of dst is undefined.
func (a *Array[T]) CopyTo(dst []T) (n int, err error) {
	const op = "copy to"
	if a.m.isClosed() {
		return 0, a.m.errClosed(op)
	}
	dst = dst[:min(len(dst), a.n)]
	defer a.m.leave(op, a.m.enter(), &err)
	if err := a.runs(len(dst), func(at, first, n, step int) error { return a.gather(dst[first:first+n], at, step) }); err != nil {
		return 0, err
	}
	return len(dst), nil
}

// gather copies the elements of a run.
func (a *Array[T]) gather(dst []T, at, step int) error {
	if a.copying != nil {
		for i := range dst {
			if err := a.load(&dst[i], at+i*step); err != nil {
				return err
			}
		}
		return nil
	}
	if step == a.size {
		words.Copy(dst, elements[T](a.memory, at, len(dst)))
		return nil
	}
	for i := range dst {
		dst[i] = *(*T)(unsafe.Pointer(&a.memory[at+i*step]))
	}
	return nil
}

// CopyFrom stores all of src in the first elements in C order, and returns their number.
// It fails with [npy.ErrShape], and stores nothing, if src is longer than the array, or
// if elements share memory. Like CopyTo it is faster than Go's copy.
//
// After a fault n is 0, and any part may have been stored.
func (a *Array[T]) CopyFrom(src []T) (n int, err error) {
	const op = "copy from"
	if a.m.isClosed() {
		return 0, a.m.errClosed(op)
	}
	if err := a.writable(); err != nil {
		return 0, wrap(op, a.m.name, err)
	}
	if len(src) > a.n {
		return 0, wrap(op, a.m.name, &reason{fmt.Sprintf("%d elements are more than the array's %d", len(src), a.n), npy.ErrShape})
	}
	defer a.m.leave(op, a.m.enter(), &err)
	if err := a.runs(len(src), func(at, first, n, step int) error { return a.scatter(at, src[first:first+n], step) }); err != nil {
		return 0, err
	}
	return len(src), nil
}

// scatter stores the elements of a run.
func (a *Array[T]) scatter(at int, src []T, step int) error {
	if a.copying != nil {
		for i, v := range src {
			if err := a.store(at+i*step, v); err != nil {
				return err
			}
		}
		return nil
	}
	if step == a.size {
		words.Copy(elements[T](a.memory, at, len(src)), src)
		return nil
	}
	for i, v := range src {
		*(*T)(unsafe.Pointer(&a.memory[at+i*step])) = v
	}
	return nil
}

// load copies an element that Go cannot use in place.
func (a *Array[T]) load(v *T, at int) error {
	b := bytesOf(v)
	copy(b, a.memory[at:at+a.size])
	return a.header.Dtype.Swap(b)
}

// store is load the other way round.
func (a *Array[T]) store(at int, v T) error {
	b := bytesOf(&v)
	if err := a.header.Dtype.Swap(b); err != nil {
		return err
	}
	copy(a.memory[at:at+a.size], b)
	return nil
}

// bytesOf returns the memory of a Go value.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}
