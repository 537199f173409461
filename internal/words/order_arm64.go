package words

// Accesses of sync/atomic are no substitute for these barriers. A load (LDAR)
// keeps only what follows it behind it, a store (STLR) only what precedes it
// before it. Neither does a swap order what precedes it and what follows it, if
// the processor has no instruction for it and the runtime makes it of a load and
// a store (LDAXR, STLXR): both may pass into the swap, and there pass each other.

// OrderLoads keeps the loads before it, plain ones too, before those after it.
//
//go:noescape
func OrderLoads()

// OrderStores keeps the stores before it, plain ones too, before those after it.
//
//go:noescape
func OrderStores()
