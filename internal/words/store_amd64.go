//go:build !race

package words

// This processor keeps a plain store behind earlier loads and stores. The store of
// sync/atomic also waits until all processors see the word, before later loads.

// StoreRelease64 writes a word after all earlier loads and stores. Later loads may come
// before it. It is a call, so that the compiler moves nothing past it.
//
//go:noinline
func StoreRelease64(p *uint64, v uint64) { *p = v }

// StoreLast64 is StoreRelease64 as the last access of a function that the compiler does not inline:
// there is nothing behind it that the compiler could move.
func StoreLast64(p *uint64, v uint64) { *p = v }
