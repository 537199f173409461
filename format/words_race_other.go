//go:build race && !amd64 && !arm64

package format

import "sync"

var swapping sync.Mutex

// compareAndSwap is atomic within this process only: race builds on these
// platforms are for finding races, not for sharing memory.
//
//go:norace
func compareAndSwap(p *uint64, old, v uint64) bool {
	swapping.Lock()
	defer swapping.Unlock()
	if *p != old {
		return false
	}
	*p = v
	return true
}
