package compat

import "syscall"

// dieWithParent has Linux kill the process when the thread that has started it
// ends. Without that it would end when the pipe closes, unless it is stuck.
func dieWithParent(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGKILL
}
