//go:build !posixshm

package pyshm_test

import (
	"syscall"
	"testing"
)

func stat(t testing.TB, name string) syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(pathOf(name), &st); err != nil {
		t.Fatal(err)
	}
	return st
}
