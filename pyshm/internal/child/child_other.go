//go:build !linux && !darwin && !freebsd

package child

import (
	"errors"
	"os/exec"
	"syscall"
)

// Prepare does nothing: this package is for Linux, macOS and FreeBSD.
func Prepare(*exec.Cmd) {}

// AwaitEnd is not supported.
func AwaitEnd(int) error { return errors.ErrUnsupported }

// SignalGroup does nothing.
func SignalGroup(int, syscall.Signal) {}
