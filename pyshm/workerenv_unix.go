//go:build unix

package pyshm

import (
	"io/fs"
	"os"
	"syscall"
)

func ownedByUser(info fs.FileInfo) bool { return ownedBy(info, os.Geteuid()) }

func ownedByRoot(info fs.FileInfo) bool { return ownedBy(info, 0) }

func ownedBy(info fs.FileInfo, uid int) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}
