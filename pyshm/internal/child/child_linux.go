package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func endWithParent(attr *syscall.SysProcAttr) {
	if attr.Pdeathsig == 0 {
		attr.Pdeathsig = syscall.SIGKILL
	}
}

// AwaitEnd returns when a child has ended. It leaves the zombie, so that the number of the
// process, and of its group, belongs to no other process until the caller reaps it.
func AwaitEnd(pid int) error {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != syscall.EINTR {
			return err
		}
	}
}

// MeasuresMemory reports whether Memory is supported.
const MeasuresMemory = true

// Memory returns how many bytes of memory a process has for itself: the resident pages,
// without files and shared memory.
func Memory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 3 {
		return 0, fmt.Errorf("/proc/%d/statm is %q", pid, text)
	}
	var pages [2]int64
	for i, field := range fields[1:3] {
		if pages[i], err = strconv.ParseInt(string(field), 10, 64); err != nil {
			return 0, err
		}
	}
	return (pages[0] - pages[1]) * int64(os.Getpagesize()), nil
}
