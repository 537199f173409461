package mapping

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The kernel limits the number of entries in the map of a process's address space. The
// Go runtime needs new entries now and then, for the heap or a thread, and ends the
// process when it gets none. So Map leaves the last sixteenth to the runtime.

// entries has how many entries Map may add.
var entries entryBudget

// An entryBudget is the number of entries that Map can add before it has to count them
// again. It cannot keep an exact count: the kernel merges and splits neighbours, and
// other code of the process maps memory too.
type entryBudget struct {
	mu   sync.Mutex
	left int
}

// take takes an entry for a mapping, or fails with ENOMEM.
func (b *entryBudget) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left > 0 {
		b.left--
		return nil
	}
	used, err := countEntries()
	if err != nil {
		return nil // without /proc, or without a descriptor, only the kernel limits Map
	}
	limit := maxEntries() - maxEntries()/16
	if used >= limit {
		return fmt.Errorf("%w: too many mappings: %d of the %d that vm.max_map_count allows, the rest is left to the Go runtime",
			unix.ENOMEM, used, maxEntries())
	}
	// Take a part of the rest, because other code takes entries too, but many near the
	// limit, because counting is slow.
	b.left = max(min(limit-used, limit/8), 64) - 1
	return nil
}

// part notes that a range in the middle of an entry was unmapped, which may have split
// the entry in two.
func (b *entryBudget) part() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
}

// countEntries counts the entries of the process's map. That takes some 20 ms for as
// many entries as the default limit allows.
func countEntries() (n int, err error) {
	// Not /proc/self/maps, which is empty when the main thread has ended.
	f, err := os.Open("/proc/thread-self/maps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 4096) // the kernel does not return more at a time
	for {
		read, err := f.Read(buf)
		n += bytes.Count(buf[:read], []byte("\n"))
		switch err {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return 0, err
		}
	}
}

// maxEntries returns how many entries a process may have.
var maxEntries = sync.OnceValue(func() int {
	const usual = 65530
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return usual
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return usual
	}
	return n
})
