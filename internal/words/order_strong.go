//go:build amd64 || 386

package words

// These processors keep loads in order, and stores in order. So does the compiler around
// the accesses of this package, which are atomic or calls.

// OrderLoads keeps all earlier loads, plain ones too, before all later loads.
func OrderLoads() {}

// OrderStores keeps all earlier stores, plain ones too, before all later stores.
func OrderStores() {}
