package format_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/alloctest"
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
	const limit = 1 << 20
	if allocated := alloctest.Least(limit, func() { useSparse(t, m) }); allocated > limit {
		t.Errorf("%d bytes were allocated for a list of a few pages", allocated)
	}
}

// useSparse makes lists of a count and a table that are as large as the memory allows.
func useSparse(t *testing.T, m []byte) {
	n := int64(len(m) / 25 / 8 * 8)
	dataSize := 8 * (n - 64)
	putWord(m, 0, n)
	putWord(m, 8, 8)
	if _, err := format.Attach(m); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("Attach, Sizes: %v", err)
	}
	putWord(m, 8, 0)
	putWord(m, int(8+8*n), dataSize)
	if _, err := format.Attach(m); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("Attach, Offsets without formats: %v", err)
	}
	formats := int(16 + 8*n + dataSize)
	putWord(m, formats, 'q')
	defer putWord(m, formats, 0)
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
}
