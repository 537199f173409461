//go:build race && !arm64

package words

// All platforms with the race detector are 64-bit: a plain aligned access is a single
// access. On arm64 plain accesses have no order, see words_race_arm64.go.

//go:norace
//go:noinline
func Load32(p *uint32) uint32 { return *p }

//go:norace
//go:noinline
func Load64(p *uint64) uint64 { return *p }

//go:norace
//go:noinline
func Store64(p *uint64, v uint64) { *p = v }
