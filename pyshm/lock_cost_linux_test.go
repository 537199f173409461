//go:build !posixshm

package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

func TestLockAllocatesNothing(t *testing.T) {
	l := createLock(t)
	s := createSemaphore(t, 5)
	n := testing.AllocsPerRun(1000, func() {
		noError(t, l.Acquire(t.Context()))
		noError(t, l.Release())
		if taken, err := s.TryAcquire(); !taken || err != nil {
			t.Error(taken, err)
		}
		noError(t, s.Release())
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Acquire and Release make no system call if no other goroutine or process uses the
// lock. If another one uses it, they make a system call, and the test notices that.
func TestLockMakesNoSystemCall(t *testing.T) {
	for _, contended := range []bool{false, true} {
		l := createLock(t)
		if contended {
			s := attachStranger(t, l.Name())
			s.Take()
			s.Count()
			s.Sleep(time.Nanosecond, new(futex.Alarm))
			s.Post(1, 1)
		}
		out, err := testkit.Command(t, "use a lock without system calls", l.Name()).CombinedOutput()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && exit.ExitCode() == exitNoSeccomp:
			t.Skipf("this system forbids seccomp: %s", out)
		case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGSYS:
			if !contended {
				t.Error("made a system call")
			}
		case err != nil:
			t.Errorf("%v: %s", err, out)
		case contended:
			t.Error("a system call went unnoticed")
		}
	}
}

const exitNoSeccomp = 3

func init() { testkit.Roles["use a lock without system calls"] = useWithoutSystemCalls }

// useWithoutSystemCalls uses a lock in a thread that must not wake or wait on
// shared memory.
func useWithoutSystemCalls(args []string, _ <-chan string) error {
	l, err := pyshm.AttachLock(args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := forbidSharedFutexes(); err != nil {
		fmt.Println(err)
		os.Exit(exitNoSeccomp)
	}
	for range 10_000 {
		if err := errors.Join(l.Acquire(context.Background()), l.Release()); err != nil {
			return err
		}
	}
	return nil
}

// forbidSharedFutexes lets the kernel kill the process if this thread makes a
// futex system call other than the private ones of the Go runtime itself.
func forbidSharedFutexes() error {
	const private = 0x80
	one := uint16(1)
	operation := uint32(24) // of struct seccomp_data: args[1], its lower half
	if *(*byte)(unsafe.Pointer(&one)) == 0 {
		operation += 4
	}
	return filterCalls([]syscall.SockFilter{
		{Code: bpfLoad, K: 0}, // the number of the system call
		{Code: bpfIfEqual, K: syscall.SYS_FUTEX, Jf: 3},
		{Code: bpfLoad, K: operation},
		{Code: bpfAnd, K: private},
		{Code: bpfIfEqual, K: 0, Jt: 1},
		{Code: bpfReturn, K: bpfAllow},
		{Code: bpfReturn, K: bpfKill},
	})
}
