//go:build race && !amd64 && !arm64

package words

import "sync"

// Race builds on these platforms are for finding races, not for sharing memory:
// the swaps are atomic within this process only.

var swapping sync.Mutex

//go:norace
func CompareAndSwap32(p *uint32, old, v uint32) bool {
	swapping.Lock()
	defer swapping.Unlock()
	if *p != old {
		return false
	}
	*p = v
	return true
}

//go:norace
func CompareAndSwap64(p *uint64, old, v uint64) bool {
	swapping.Lock()
	defer swapping.Unlock()
	if *p != old {
		return false
	}
	*p = v
	return true
}
