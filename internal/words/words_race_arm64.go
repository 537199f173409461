//go:build race

package words

// These are the instructions of sync/atomic, which order accesses around them as
// plain ones would not.

//go:noescape
func Load32(p *uint32) uint32

//go:noescape
func Load64(p *uint64) uint64

//go:noescape
func Store64(p *uint64, v uint64)
