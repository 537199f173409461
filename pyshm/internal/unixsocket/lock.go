//go:build linux || darwin || freebsd

package unixsocket

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// No system call looks at a path and binds or removes it in one step. Between the two
// steps the path is locked, by flock(2) on a file beside it, which exists only as long
// as the lock. A lock on the folder itself would work, too, but other programs, such as
// systemd-tmpfiles, lock folders for as long as they like.

// lockPatience is how long another process may hold the lock. A process that removes a
// dead socket holds it for about 20 ms, any other for microseconds.
const lockPatience = 2 * time.Second

func lockName(path string) string {
	dir, file := filepath.Split(path)
	return dir + "." + file + ".pyshm-lock"
}

// lock locks a path against other processes, and other goroutines, that call it.
func lock(path string) (unlock func(), err error) {
	name := lockName(path)
	for end := time.Now().Add(lockPatience); ; time.Sleep(time.Millisecond) {
		fd, err := tryLock(name)
		if err == nil {
			return func() {
				if isAt(name, fd) {
					_ = unix.Unlink(name) // a file that stays does no harm
				}
				unix.Close(fd)
			}, nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%w: another process holds %s", unix.EADDRINUSE, name)
		}
	}
}

// tryLock returns EAGAIN if another process has the lock.
func tryLock(name string) (fd int, err error) {
	fd, err = ignoringEINTR(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return -1, err
	}
	_, err = ignoringEINTR(func() (int, error) { return 0, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err == nil && !isAt(name, fd) {
		err = unix.EAGAIN // the process that had the lock has removed the file in the meantime
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// isAt reports whether a name leads to an open file. No other file has the file's number
// while the file is open.
func isAt(name string, fd int) bool {
	var open, named unix.Stat_t
	return unix.Fstat(fd, &open) == nil && unix.Lstat(name, &named) == nil && idOf(&open) == idOf(&named)
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != unix.EINTR {
			return n, err
		}
	}
}
