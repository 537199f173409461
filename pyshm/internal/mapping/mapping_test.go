package mapping

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func testFile(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

func testMap(t *testing.T, size int) *Mapping {
	t.Helper()
	m, err := Map(int(testFile(t, int64(size)).Fd()), size, false)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// faultAt returns the address at which f faults, or 0 if f does not fault.
func faultAt(f func()) (addr uintptr) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault, ok := recover().(interface{ Addr() uintptr }); ok {
			addr = fault.Addr()
		}
	}()
	f()
	return 0
}

func TestMapIsShared(t *testing.T) {
	testkit.NeedKeptNames(t)
	f := testFile(t, 5000)
	m, err := Map(int(f.Fd()), 5000, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if m.Len() != 5000 || len(m.Bytes()) != 5000 {
		t.Fatalf("%d bytes, %d bytes", m.Len(), len(m.Bytes()))
	}
	m.Bytes()[4999] = 42
	got := make([]byte, 1)
	if _, err := f.ReadAt(got, 4999); err != nil || got[0] != 42 {
		t.Errorf("the file holds %d, %v", got[0], err)
	}
}

func TestReadOnly(t *testing.T) {
	testkit.NeedKeptNames(t)
	m, err := Map(int(testFile(t, 100).Fd()), 100, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if addr := faultAt(func() { m.Bytes()[7] = 1 }); addr != uintptr(m.addr)+7 {
		t.Errorf("a write faulted at %#x, want byte 7 of %p", addr, m.addr)
	}
}

func TestContains(t *testing.T) {
	testkit.NeedKeptNames(t)
	size := os.Getpagesize() + 904
	m := testMap(t, size)
	defer m.Release()
	start := uintptr(m.addr)
	end := start + uintptr(2*os.Getpagesize())
	for addr, want := range map[uintptr]bool{
		0: false, start - 1: false, start: true, start + uintptr(size): true, end - 1: true, end: false, ^uintptr(0): false,
	} {
		if m.Contains(addr) != want {
			t.Errorf("Contains(start%+d) = %v", int64(addr)-int64(start), !want)
		}
	}
}

func TestRevokeKeepsAddresses(t *testing.T) {
	testkit.NeedKeptNames(t)
	m := testMap(t, 3*os.Getpagesize())
	b := m.Bytes()
	if err := m.Revoke(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		if addr := faultAt(func() { b[i]++ }); !m.Contains(addr) {
			t.Errorf("byte %d faulted at %#x", i, addr)
		}
	}
	if testkit.HasFiles && !mapped(t, m.addr) {
		t.Error("the range is free for others")
	}
	if err := m.Release(); err != nil {
		t.Fatal(err)
	}
	if testkit.HasFiles && mapped(t, m.addr) {
		t.Error("the range is still taken")
	}
}

func TestPinnedIsNeverReleased(t *testing.T) {
	testkit.NeedKeptNames(t)
	m := testMap(t, 100)
	m.Pin()
	if err := m.Release(); err != nil {
		t.Fatal(err)
	}
	m.Bytes()[0] = 1 // does not fault
	m.pinned.Store(false)
	if err := m.Release(); err != nil {
		t.Fatal(err)
	}
}

// mapped reports whether the page at addr is part of the address space of Linux. Nothing
// else in this process maps memory at that time.
func mapped(t *testing.T, addr unsafe.Pointer) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(maps) {
		var start, end uintptr
		if _, err := fmt.Sscanf(string(line), "%x-%x", &start, &end); err != nil {
			t.Fatal(err)
		}
		if start <= uintptr(addr) && uintptr(addr) < end {
			return true
		}
	}
	return false
}
