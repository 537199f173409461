//go:build pyshm_posix

package namedsem

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// A handle is a semaphore of glibc, with which a Python of Linux works, and of which this
// package uses nothing but sem_trywait and sem_post.
type handle struct {
	mem []byte
	s   sem.Semaphore
}

func pathOf(name string) string { return "/dev/shm/sem." + name }

func openHandle(name string, flags int, mode, value uint32) (h handle, err error) {
	var fd int
	if flags&unix.O_CREAT != 0 {
		fd, err = createFile(name, mode, value)
	} else {
		fd, err = unix.Open(pathOf(name), unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return handle{}, err
	}
	defer unix.Close(fd)
	if h.mem, err = unix.Mmap(fd, 0, sem.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return handle{}, err
	}
	if h.s, err = sem.At(h.mem); err != nil {
		return handle{}, errors.Join(err, h.close())
	}
	return h, nil
}

// createFile makes a whole semaphore before it gets its name, as glibc's sem_open does.
func createFile(name string, mode, value uint32) (int, error) {
	fd, err := unix.Open("/dev/shm", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, mode)
	if err != nil {
		return -1, err
	}
	if _, err = unix.Pwrite(fd, sem.Bytes(value), 0); err == nil {
		err = unix.Fchmod(fd, mode) // macOS heeds no umask
	}
	if err == nil {
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, pathOf(name), unix.AT_SYMLINK_FOLLOW)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func unlinkName(name string) error { return unix.Unlink(pathOf(name)) }

func (h handle) tryWait() error {
	if !h.s.Take() {
		return unix.EAGAIN
	}
	return nil
}

func (h handle) post() error {
	posted, waiters := h.s.Post(1, sem.MaxValue)
	if !posted {
		return unix.EOVERFLOW
	}
	if waiters > 0 {
		_, err := h.s.Wake(1)
		return err
	}
	return nil
}

func (h handle) close() error { return unix.Munmap(h.mem) }
