package main

import (
	"io/fs"
	"os"
	"syscall"
)

// memoryState looks at /dev/shm.
func memoryState() (s shmState, err error) {
	const dir = "/dev/shm"
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return s, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return s, err
	}
	const tmpfsMagic, writeAndSearch = 0x01021994, 3 // statfs(2), access(2)
	block := uint64(stat.Bsize)
	return shmState{
		size: stat.Blocks * block, free: stat.Bavail * block, files: stat.Files, filesFree: stat.Ffree,
		tmpfs:    stat.Type == tmpfsMagic,
		writable: syscall.Access(dir, writeAndSearch) == nil,
		sticky:   info.Mode()&fs.ModeSticky != 0,
	}, nil
}
