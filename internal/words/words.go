//go:build !race

// Package words reads and writes single words of memory that other processes write at
// the same time, and that may fault. Every access is one aligned instruction, atomic
// against all processes that map the memory.
//
// words_race.go explains why race builds access the memory in another way.
package words

import "sync/atomic"

// Load32 and Load64 read a word.

func Load32(p *uint32) uint32 { return atomic.LoadUint32(p) }
func Load64(p *uint64) uint64 { return atomic.LoadUint64(p) }

// Store64 writes a word.
func Store64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// CompareAndSwap32 and CompareAndSwap64 store v in a word if its value is old, and
// report whether they did.

func CompareAndSwap32(p *uint32, old, v uint32) bool { return atomic.CompareAndSwapUint32(p, old, v) }
func CompareAndSwap64(p *uint64, old, v uint64) bool { return atomic.CompareAndSwapUint64(p, old, v) }
