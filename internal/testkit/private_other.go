//go:build !linux

package testkit

import "testing"

// InPrivateShm skips the test: only Linux has mount namespaces.
func InPrivateShm(t *testing.T, size int, options ...string) bool {
	t.Helper()
	NeedLinux(t)
	return false
}
