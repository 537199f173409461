//go:build unix && !linux

package compat

import "syscall"

// dieWithParent does nothing: the process ends when the pipe closes.
func dieWithParent(*syscall.SysProcAttr) {}
