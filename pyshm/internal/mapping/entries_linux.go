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

// The kernel allows a process so many entries in the map of its address space. The
// Go runtime needs some now and then, for the heap or a thread, and ends the process
// when it gets none. So Map leaves it the last sixteenth.

// entries has how many may be added.
var entries entryBudget

// An entryBudget is the number of entries that can be added before the map has to be
// looked at again. A count is not kept: neighbours merge and part, and other code of
// the process maps memory too.
type entryBudget struct {
	mu   sync.Mutex
	left int
}

// take takes an entry for a mapping, or returns an error that is ENOMEM.
func (b *entryBudget) take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left > 0 {
		b.left--
		return nil
	}
	used, err := countEntries()
	if err != nil {
		return nil // no /proc or no descriptor: then the kernel alone limits
	}
	limit := maxEntries() - maxEntries()/16
	if used >= limit {
		return fmt.Errorf("%w: too many mappings: %d of the %d that vm.max_map_count allows, the rest is left to the Go runtime",
			unix.ENOMEM, used, maxEntries())
	}
	// Not all at once, because others take some too; but not one by one near the limit.
	b.left = max(min(limit-used, limit/8), 64) - 1
	return nil
}

// part notes that a range in the middle of an entry was unmapped, which may have made
// two of it.
func (b *entryBudget) part() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left--
}

// countEntries counts the entries of the process's map. That takes some 20 ms when
// there are as many as are allowed by default.
func countEntries() (n int, err error) {
	// Not /proc/self/maps, which is empty when the main thread has ended.
	f, err := os.Open("/proc/thread-self/maps")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 4096) // more than that the kernel does not return at a time
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
