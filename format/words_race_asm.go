//go:build race && (amd64 || arm64)

package format

// compareAndSwap is in assembly because only the instruction itself is atomic
// against other processes, and sync/atomic is not to be had here.
//
//go:noescape
func compareAndSwap(p *uint64, old, v uint64) bool
