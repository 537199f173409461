//go:build !linux

package testkit

import "testing"

// InPrivateShm skips the test: mount namespaces are Linux's.
func InPrivateShm(t *testing.T, size int, options ...string) bool {
	t.Helper()
	NeedLinux(t)
	return false
}
