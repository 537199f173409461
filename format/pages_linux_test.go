package format_test

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"unsafe"
)

// memory is a mapping of whole pages whose protection tests change.
type memory []byte

var pageSize = os.Getpagesize()

func mapPages(t testing.TB, n int) memory {
	t.Helper()
	m, err := syscall.Mmap(-1, 0, n*pageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	return m
}

// mapAt maps a copy of b so that the byte at off is the first byte of a page. It
// returns the mapping, the copy, and the number of that page.
func mapAt(t testing.TB, b []byte, off int) (m memory, buf []byte, page int) {
	t.Helper()
	page = (off + pageSize - 1) / pageSize
	m = mapPages(t, page+(len(b)-off+pageSize-1)/pageSize)
	start := page*pageSize - off
	buf = m[start : start+len(b)]
	copy(buf, b)
	return m, buf, page
}

// protect changes the protection of pages from to to, not included.
func (m memory) protect(t testing.TB, from, to, prot int) {
	t.Helper()
	if err := syscall.Mprotect(m[from*pageSize:to*pageSize], prot); err != nil {
		t.Fatal(err)
	}
}

func (m memory) writable(t testing.TB) {
	t.Helper()
	m.protect(t, 0, len(m)/pageSize, syscall.PROT_READ|syscall.PROT_WRITE)
}

var errFault = errors.New("access to a protected page")

// faulting calls f. It returns errFault, with the address, if f touched a page in a way
// that the page's protection forbids.
func (m memory) faulting(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = fmt.Errorf("%w at offset %d", errFault, r.Addr()-uintptr(unsafe.Pointer(&m[0])))
		default:
			panic(r)
		}
	}()
	return f()
}

// A fence lends buffers that lie between inaccessible pages.
type fence struct {
	mem memory
}

// newFence makes room for buffers of up to size bytes.
func newFence(t testing.TB, size int) *fence {
	t.Helper()
	pages := (size + pageSize - 1) / pageSize
	m := mapPages(t, pages+2)
	m.protect(t, 0, 1, syscall.PROT_NONE)
	m.protect(t, pages+1, pages+2, syscall.PROT_NONE)
	return &fence{m}
}

// inside returns the accessible bytes.
func (f *fence) inside() []byte { return f.mem[pageSize : len(f.mem)-pageSize] }

// guard calls do. If do touches the inaccessible pages it panics, and the process lives
// on.
func (f *fence) guard(do func()) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	do()
}
