//go:build amd64 || 386

package words

// These processors keep loads in order, and stores. So does the compiler around
// the accesses of this package, which are atomic or calls.

// OrderLoads keeps the loads before it, plain ones too, before those after it.
func OrderLoads() {}

// OrderStores keeps the stores before it, plain ones too, before those after it.
func OrderStores() {}
