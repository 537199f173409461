package child

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Prepare changes a command, before its start, such that its process leads a process group
// of its own: a Ctrl-C at the terminal reaches this process alone, which then decides about
// the child. And the kernel kills the child when the thread that starts it ends. So the
// command has to be started from a thread that lives as long as the child should. Prepare
// leaves alone what the caller has set.
func Prepare(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := cmd.SysProcAttr
	if !attr.Setsid && !attr.Foreground {
		attr.Setpgid = true
	}
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

// SignalGroup sends a signal to all processes of the group that a child leads or has led.
// The child must not have been reaped. A child that leads no group is not signalled.
func SignalGroup(pid int, s syscall.Signal) {
	if group, err := syscall.Getpgid(pid); err == nil && group == pid {
		_ = syscall.Kill(-pid, s) // fails only if there is no such process
	}
}

// Memory returns how many bytes of memory a process has for itself: what is resident,
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
