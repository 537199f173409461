// Package affinity binds processes to CPUs for the benchmarks.
package affinity

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// A Set is a set of CPUs.
type Set [16]uint64 // the kernel's, of up to 1024

// Of returns the set of one CPU.
func Of(cpu int) (s Set) {
	s[cpu/64] = 1 << (cpu % 64)
	return s
}

// CPUs returns the CPUs on which this process may run.
func CPUs() (cpus []int, all Set, err error) {
	if err := call(syscall.SYS_SCHED_GETAFFINITY, 0, &all); err != nil {
		return nil, all, err
	}
	for cpu := range 64 * len(all) {
		if all[cpu/64]&(1<<(cpu%64)) != 0 {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, all, nil
}

// Bind lets all threads of a process run on these CPUs only. Threads that they start
// inherit that.
func Bind(pid int, s Set) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := call(syscall.SYS_SCHED_SETAFFINITY, id, &s); err != nil && err != syscall.ESRCH {
			return err
		}
	}
	return nil
}

func call(number uintptr, thread int, s *Set) error {
	if _, _, errno := syscall.RawSyscall(number, uintptr(thread), unsafe.Sizeof(*s), uintptr(unsafe.Pointer(s))); errno != 0 {
		return errno
	}
	return nil
}

// Start starts a command whose processes run on these CPUs only.
func Start(cmd *exec.Cmd, s Set) error {
	runtime.LockOSThread() // the new process inherits from this thread
	defer runtime.UnlockOSThread()
	_, before, err := CPUs()
	if err != nil {
		return err
	}
	if err := call(syscall.SYS_SCHED_SETAFFINITY, 0, &s); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), call(syscall.SYS_SCHED_SETAFFINITY, 0, &before))
}
