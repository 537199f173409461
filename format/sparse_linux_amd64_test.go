package format_test

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// A file and a mapping can be larger than the memory of any machine: pages that are not
// touched take no memory. Counts and tables in it may be as large.
func TestSparse(t *testing.T) {
	const size = 1 << 36
	const flags = syscall.MAP_ANON | syscall.MAP_PRIVATE | syscall.MAP_NORESERVE
	m, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	if err != nil {
		t.Skipf("no mapping of %d bytes here: %v", size, err)
	}
	defer syscall.Munmap(m)
	const n = size / 25 / 8 * 8
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	putWord(m, 0, n)
	putWord(m, 8, 8)
	if _, err := format.Attach(m); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("Attach, Sizes: %v", err)
	}
	const dataSize = 8 * (n - 64)
	putWord(m, 8, 0)
	putWord(m, 8+8*n, dataSize)
	if _, err := format.Attach(m); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("Attach, Offsets without formats: %v", err)
	}
	putWord(m, 16+8*n+dataSize, 'q')
	l, err := format.Attach(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Values(); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Values: %v", err)
	}
	if err := l.Check(); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Check: %v", err)
	}
	if formats := l.Format(); formats != "" {
		t.Errorf("Format has %d characters", len(formats))
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 1<<20 {
		t.Errorf("%d bytes were allocated for a list of a few pages", allocated)
	}
}
