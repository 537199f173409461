//go:build !linux || posixshm

package pyshm_test

import (
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A fileStatus has the fields of Linux's Stat_t that tests compare.
type fileStatus struct {
	Mode, Nlink, Uid, Gid uint32
	Ino                   uint64
	Size, Blocks          int64
	Atim, Mtim, Ctim      int64
}

func stat(t testing.TB, name string) (none fileStatus) {
	t.Helper()
	testkit.NeedLinux(t)
	return none
}
