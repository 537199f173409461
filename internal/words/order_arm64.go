package words

// Accesses of sync/atomic are no substitute for these barriers. A load (LDAR) keeps
// later accesses behind it, but not earlier ones before it. A store (STLR) keeps earlier
// accesses before it, but not later ones behind it. A swap keeps neither, if the
// processor has no instruction for a swap and the runtime makes it of a load and a store
// (LDAXR, STLXR): earlier and later accesses may move into the swap, and pass each other
// there.

// OrderLoads keeps all earlier loads, plain ones too, before all later loads.
//
//go:noescape
func OrderLoads()

// OrderStores keeps all earlier stores, plain ones too, before all later stores.
//
//go:noescape
func OrderStores()
