package compat

import "syscall"

// dieWithParent has Linux kill the process when the thread that started it ends.
// Otherwise the process would end when the pipe closes, but not if it is stuck.
func dieWithParent(attr *syscall.SysProcAttr) {
	attr.Pdeathsig = syscall.SIGKILL
}
