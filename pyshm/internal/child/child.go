//go:build linux || darwin || freebsd

package child

import (
	"os/exec"
	"syscall"
)

// Prepare changes a command, before its start, such that its process leads a process group
// of its own: a Ctrl-C at the terminal reaches this process alone, which then decides about
// the child. On Linux the kernel also kills the child when the thread that starts it ends,
// and on FreeBSD when this process ends. So the command has to be started from a thread that
// lives as long as the child should. macOS has nothing of the kind: there the child has to
// notice the end by itself. Prepare leaves alone what the caller has set.
func Prepare(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := cmd.SysProcAttr
	if !attr.Setsid && !attr.Foreground {
		attr.Setpgid = true
	}
	endWithParent(attr)
}

// SignalGroup sends a signal to all processes of the group that a child leads or has led.
// The child must not have been reaped. A child that leads no group is not signalled.
func SignalGroup(pid int, s syscall.Signal) {
	if group, err := syscall.Getpgid(pid); err == nil && group == pid {
		_ = syscall.Kill(-pid, s) // fails only if there is no such process
	}
}
