package child

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// endWithParent has Go call procctl(2) with PROC_PDEATHSIG_CTL.
func endWithParent(attr *syscall.SysProcAttr) {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
}

// pPID is P_PID of sys/wait.h, which says that the ID is of a process.
const pPID = 0

// AwaitEnd returns when a child has ended. It leaves the zombie, so that the number of the
// process, and of its group, belongs to no other process until the caller reaps it.
func AwaitEnd(pid int) error {
	for {
		// wait6(idtype, id, status, options, wrusage, infop); see wait6(2). An idtype_t is an
		// int, and an id_t has 64 bits.
		_, _, errno := unix.Syscall6(unix.SYS_WAIT6, pPID, uintptr(pid), 0, unix.WEXITED|unix.WNOWAIT, 0, 0)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
