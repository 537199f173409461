//go:build !race

package format

import "sync/atomic"

// How mapped words are touched. Other processes write them at the same time,
// so every access is a single 8-byte one. p is 8-byte aligned.
// words_race.go says why race builds do it another way.

func load(p *uint64) uint64                        { return atomic.LoadUint64(p) }
func store(p *uint64, v uint64)                    { atomic.StoreUint64(p, v) }
func compareAndSwap(p *uint64, old, v uint64) bool { return atomic.CompareAndSwapUint64(p, old, v) }
