//go:build !race

package words

// StoreLast64 is Store64 as the last access of a function that is not inlined.
//
// This processor keeps a plain store behind earlier loads and stores, and after the last
// access there is nothing that the compiler could move before it. The store of
// sync/atomic also waits until all processors see the word, before later loads. No user
// of shared words needs that.
func StoreLast64(p *uint64, v uint64) { *p = v }
