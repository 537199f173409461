//go:build race && (amd64 || arm64)

package words

// The swaps are in assembly because only the instruction itself is atomic against
// other processes, and sync/atomic cannot be used in race builds.

//go:noescape
func CompareAndSwap32(p *uint32, old, v uint32) bool

//go:noescape
func CompareAndSwap64(p *uint64, old, v uint64) bool
