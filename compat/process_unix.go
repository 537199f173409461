//go:build unix

package compat

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// prepare puts the process into a group of its own, so that it can be killed together
// with the processes that it has started.
func prepare(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pgid = true, 0
	dieWithParent(cmd.SysProcAttr)
	return nil
}

// killGroup kills the rest of the process's group. It may be called only while the
// group has a process left: afterwards another group could have the number.
func killGroup(leader *os.Process) {
	syscall.Kill(-leader.Pid, syscall.SIGKILL)
}

// exitCode returns the exit status or minus the signal's number.
func exitCode(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return -int(status.Signal())
	}
	return state.ExitCode()
}

// pass gives the pipes to a command, as the descriptors 3 and 4.
func pass(cmd *exec.Cmd, pipes ...*os.File) { cmd.ExtraFiles = pipes }

// isBroken reports whether a write failed because the process has closed its pipe.
func isBroken(err error) bool { return errors.Is(err, syscall.EPIPE) }
