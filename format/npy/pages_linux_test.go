package npy_test

import (
	"os"
	"runtime/debug"
	"syscall"
	"testing"
)

// A room is some pages with an inaccessible one on either side.
type room []byte

func newRoom(t testing.TB, pages int) room {
	t.Helper()
	page := os.Getpagesize()
	all, err := syscall.Mmap(-1, 0, (pages+2)*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, wall := range [][]byte{all[:page], all[len(all)-page:]} {
		if err := syscall.Mprotect(wall, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return all[page : len(all)-page]
}

// each calls f with a copy of b at either end of the room. If f touches the pages around
// the room, it panics, and the process does not end.
func (r room) each(b []byte, f func(buf []byte)) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	b = b[:min(len(b), len(r))]
	for _, at := range []int{0, len(r) - len(b)} {
		buf := r[at : at+len(b) : at+len(b)]
		copy(buf, b)
		f(buf)
	}
}
