package child

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// endWithParent does nothing: the kernel of macOS ends no process with its parent.
func endWithParent(*syscall.SysProcAttr) {}

// AwaitEnd returns when a child has ended. It leaves the zombie, so that the number of the
// process, and of its group, belongs to no other process until the caller reaps it.
//
// It waits for NOTE_EXIT of kqueue(2), because waitid(2) also returns on macOS when the child
// is stopped: https://go.dev/issue/19314.
func AwaitEnd(pid int) error {
	queue, err := newQueue()
	if err != nil {
		return err
	}
	defer unix.Close(queue)
	watch := []unix.Kevent_t{{
		Ident:  uint64(pid),
		Filter: unix.EVFILT_PROC,
		Flags:  unix.EV_ADD | unix.EV_ONESHOT,
		Fflags: unix.NOTE_EXIT,
	}}
	if _, err := ignoringEINTR(func() (int, error) { return unix.Kevent(queue, watch, nil, nil) }); err != nil {
		if err == unix.ESRCH { // it is ending, or has ended, and cannot be stopped any more
			return awaitZombie(pid)
		}
		return err
	}
	_, err = ignoringEINTR(func() (int, error) { return unix.Kevent(queue, nil, make([]unix.Kevent_t, 1), nil) })
	return err
}

func newQueue() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	queue, err := unix.Kqueue()
	if err == nil {
		unix.CloseOnExec(queue)
	}
	return queue, err
}

const (
	pPID    = 1   // P_PID of sys/wait.h
	infoLen = 104 // sizeof(siginfo_t)
)

// awaitZombie calls waitid(2).
func awaitZombie(pid int) error {
	var info [infoLen / 8]uint64
	_, err := ignoringEINTR(func() (int, error) {
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, pPID, uintptr(pid), uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, 0, 0)
		if errno != 0 {
			return 0, errno
		}
		return 0, nil
	})
	return err
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != unix.EINTR {
			return n, err
		}
	}
}
