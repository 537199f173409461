package namedsem

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A handle is a descriptor: macOS's sem_t * is the number of one, see bsd/kern/posix_sem.c of
// xnu. The numbers and arguments of the system calls are in bsd/kern/syscalls.master:
//
//	268  sem_open(const char *name, int oflag, int mode, int value)
//	269  sem_close(sem_t *sem)
//	270  sem_unlink(const char *name)
//	272  sem_trywait(sem_t *sem)
//	273  sem_post(sem_t *sem)
//
// 274, sem_getvalue, returns ENOSYS, and there is no sem_timedwait.
type handle uintptr

// openHandle calls sem_open. A value and a mode are for O_CREAT.
func openHandle(name string, flags int, mode, value uint32) (handle, error) {
	path, err := unix.BytePtrFromString("/" + name)
	if err != nil {
		return 0, err
	}
	// The kernel does not close the descriptor on exec. ForkLock keeps this process from
	// starting another between the two steps.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for {
		h, _, errno := unix.Syscall6(unix.SYS_SEM_OPEN, uintptr(unsafe.Pointer(path)), uintptr(flags), uintptr(mode), uintptr(value), 0, 0)
		switch errno {
		case 0:
			unix.CloseOnExec(int(h))
			return handle(h), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func unlinkName(name string) error {
	path, err := unix.BytePtrFromString("/" + name)
	if err != nil {
		return err
	}
	return result(unix.Syscall(unix.SYS_SEM_UNLINK, uintptr(unsafe.Pointer(path)), 0, 0))
}

func (h handle) tryWait() error { return result(unix.Syscall(unix.SYS_SEM_TRYWAIT, uintptr(h), 0, 0)) }
func (h handle) post() error    { return result(unix.Syscall(unix.SYS_SEM_POST, uintptr(h), 0, 0)) }
func (h handle) close() error   { return result(unix.Syscall(unix.SYS_SEM_CLOSE, uintptr(h), 0, 0)) }

// result returns the error of a system call.
func result(_, _ uintptr, errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
