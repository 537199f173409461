//go:build !pyshm_posix

package worker

import "syscall"

// hasLanes reports whether calls may go through shared memory.
const hasLanes = true

// yield lets other threads use this processor, if any want it.
func yield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
