package compat

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

func prepare(*exec.Cmd) error { return nil }

// pass gives the pipes to a command, which finds the numbers of the handles in its
// arguments: a process of Windows inherits handles under the same numbers.
func pass(cmd *exec.Cmd, pipes ...*os.File) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	for _, pipe := range pipes {
		handle := syscall.Handle(pipe.Fd())
		// If it fails, the start of the process fails, too.
		_ = syscall.SetHandleInformation(handle, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT)
		cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, handle)
		cmd.Args = append(cmd.Args, strconv.Itoa(int(handle)))
	}
}

// isBroken reports whether a write failed because the process has closed its pipe.
func isBroken(err error) bool {
	const errorNoData = syscall.Errno(232)
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errorNoData)
}

// killGroup kills the process alone: Windows has no process groups.
func killGroup(process *os.Process) { process.Kill() }

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
