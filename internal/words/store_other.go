//go:build race || !amd64

package words

// StoreRelease64 writes a word after all earlier loads and stores. Later loads may come
// before it.
func StoreRelease64(p *uint64, v uint64) { Store64(p, v) }

// StoreLast64 is StoreRelease64 as the last access of a function that the compiler does not inline.
func StoreLast64(p *uint64, v uint64) { Store64(p, v) }
