//go:build race

package words

// These functions use the instructions of sync/atomic. Unlike plain loads and stores,
// these order the accesses around them.

//go:noescape
func Load32(p *uint32) uint32

//go:noescape
func Load64(p *uint64) uint64

//go:noescape
func Store64(p *uint64, v uint64)
