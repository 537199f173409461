//go:build !linux

package child

import (
	"errors"
	"os/exec"
	"syscall"
)

// Prepare does nothing: child processes are Linux's here.
func Prepare(*exec.Cmd) {}

// AwaitEnd is not supported.
func AwaitEnd(int) error { return errors.ErrUnsupported }

// SignalGroup does nothing.
func SignalGroup(int, syscall.Signal) {}

// Memory is not supported.
func Memory(int) (int64, error) { return 0, errors.ErrUnsupported }
