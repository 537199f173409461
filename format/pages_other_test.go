//go:build !linux

package format_test

import (
	"testing"
	"unsafe"
)

// A fence lends buffers. Where tests cannot make pages inaccessible, only Go's own
// checks protect them.
type fence struct {
	mem []uint64
}

func newFence(_ testing.TB, size int) *fence { return &fence{make([]uint64, (size+7)/8)} }

func (f *fence) inside() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f.mem))), len(f.mem)*8)
}

func (f *fence) guard(do func()) { do() }
