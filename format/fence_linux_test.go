package format_test

import (
	"errors"
	"testing"
	"unsafe"
)

// A read or write one byte beyond either end of a buffer faults. The fuzz targets rely
// on that.
func TestFence(t *testing.T) {
	f := newFence(t, 1000)
	buf := []byte("a buffer of some bytes")
	for name, p := range map[string]*byte{
		"end":   (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.atEnd(buf, 0))), len(buf))),
		"start": (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.atStart(buf, 0))), -1)),
	} {
		if err := f.mem.faulting(func() error { sink = *p; return nil }); !errors.Is(err, errFault) {
			t.Errorf("%s: reading one byte too far: %v", name, err)
		}
		if err := f.mem.faulting(func() error { *p = 1; return nil }); !errors.Is(err, errFault) {
			t.Errorf("%s: writing one byte too far: %v", name, err)
		}
	}
	for name, buf := range map[string][]byte{"end": f.atEnd(buf, 0), "start": f.atStart(buf, 0)} {
		if err := f.mem.faulting(func() error { buf[0]++; buf[len(buf)-1]++; return nil }); err != nil {
			t.Errorf("%s: inside: %v", name, err)
		}
	}
}
