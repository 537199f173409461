//go:build !(amd64 || 386 || arm64)

package words

import "sync/atomic"

// On these processors an atomic addition of sync/atomic is or contains a barrier
// for all accesses before it and after it, whatever word it adds to: DMB on arm,
// SYNC on MIPS, LWSYNC on ppc64, an AMO with aq and rl on riscv64, an AM with DB on
// loong64. s390x needs no barrier.

// OrderLoads keeps all earlier loads, plain ones too, before all later loads.
func OrderLoads() {
	var word uint32
	atomic.AddUint32(&word, 1)
}

// OrderStores keeps all earlier stores, plain ones too, before all later stores.
func OrderStores() { OrderLoads() }
