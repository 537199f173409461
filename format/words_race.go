//go:build race

package format

// In a race build sync/atomic touches the memory from the race runtime, which
// is C: a fault there, because another process has truncated the segment, ends
// the process instead of becoming an error. Plain aligned accesses fault in Go
// code. The platforms that have the race detector are 64-bit, where these are
// single accesses, and the detector has nothing to say about shared memory.

//go:norace
//go:noinline
func load(p *uint64) uint64 { return *p }

//go:norace
//go:noinline
func store(p *uint64, v uint64) { *p = v }
