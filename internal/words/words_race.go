//go:build race

// Package words touches words of shared memory, in a race build.
//
// There sync/atomic touches the memory from the race runtime, which is C: a
// fault there, because another process has truncated the file, ends the process
// instead of becoming an error. Plain aligned accesses fault in Go code. The
// platforms that have the race detector are 64-bit, where these are single
// accesses, and the detector has nothing to say about shared memory.
package words

//go:norace
//go:noinline
func Load32(p *uint32) uint32 { return *p }

//go:norace
//go:noinline
func Load64(p *uint64) uint64 { return *p }

//go:norace
//go:noinline
func Store64(p *uint64, v uint64) { *p = v }
