//go:build race || !amd64

package words

// StoreLast64 is Store64 as the last access of a function that is not inlined.
func StoreLast64(p *uint64, v uint64) { Store64(p, v) }
