//go:build !posixshm

package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
	"github.com/pyshm-go/pyshm/scripts"
)

// fewThreads is how many threads a process may have that waits for a thousand
// semaphores. The Go runtime ends it if it takes more.
const fewThreads = 50

// Goroutines wait for many different semaphores, in a process that may have few
// threads. They get the tokens that Go and Python release, and stop when their context
// is done, their handle is closed or their memory is gone.
func TestManySemaphores(t *testing.T) {
	t.Parallel()
	python := startPython(t)
	noError(t, python.Exec(scripts.AttachHelper()))
	for _, tc := range []struct {
		name, role string
		n          int
	}{
		{"150", "wait for many", 150},
		{"1000", "wait for many", 1000},
		{"150 without futex_waitv", "wait for many without futex_waitv", 150},
	} {
		t.Run(tc.name, func(t *testing.T) {
			prefix := testkit.Name(t)
			var all many
			for i := range tc.n {
				all = append(all, keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(manyName(prefix, i), 0)))
			}
			all.feed(t, startMany(t, tc.role, prefix, tc.n), func() {
				noError(t, python.Exec(fmt.Sprintf("for i in range(%d): attach_semaphore('%s_%%d' %% i).release()", tc.n, prefix)))
			})
		})
	}
}

// many are the semaphores that a child waits for.
type many []*pyshm.Semaphore

// startMany starts the child.
func startMany(t *testing.T, role, prefix string, n int) (c *testkit.Child) {
	t.Cleanup(func() {
		if t.Failed() && c != nil { // by now it has ended
			t.Logf("%.300s", c.Stderr.Bytes())
		}
	})
	c = testkit.StartChild(t, role, prefix, fmt.Sprint(n))
	if line := c.Line(t); line != "waiting" {
		t.Skip(line)
	}
	return c
}

// feed gives the child everything that waitForMany waits for.
func (m many) feed(t *testing.T, c *testkit.Child, releaseInPython func()) {
	m.wantEach(t, 1)
	m.release(t)
	t.Log("Go:", c.Line(t))
	m.wantEach(t, 1)
	if strconv.IntSize == 32 { // a 64-bit Python has other semaphores
		m.release(t)
	} else {
		releaseInPython()
	}
	t.Log("Python:", c.Line(t))
	m.wantEach(t, 1)
	noError(t, os.Truncate(pathOf("sem."+m[0].Name()), 0))
	if line := c.Line(t); line != "gone: 0" {
		t.Error(line)
	}
	m[1:].wantEach(t, 1) // undisturbed
	t.Log(c.End(t))
	m[1:].wantEach(t, 0)
}

func (m many) wantEach(t *testing.T, waiters int) {
	t.Helper()
	for _, s := range m {
		wantState(t, s, 0, waiters)
	}
}

func (m many) release(t *testing.T) {
	t.Helper()
	for _, s := range m {
		noError(t, s.Release())
	}
}

// A lock works as always when the process waits for so many that this lock shares a
// thread.
func TestLockInCrowd(t *testing.T) {
	var word uint32
	var stop atomic.Bool
	var others sync.WaitGroup
	for range futex.MaxAlone {
		others.Go(func() {
			for !stop.Load() {
				futex.Wait(&word, 0, time.Minute, new(futex.Alarm))
			}
		})
	}
	t.Cleanup(func() {
		stop.Store(true)
		atomic.StoreUint32(&word, 1)
		futex.Wake(&word, futex.All)
		others.Wait()
	})
	for asleep := 0; asleep < futex.MaxAlone; time.Sleep(20 * time.Millisecond) { // and they go back to sleep
		asleep, _ = futex.Wake(&word, futex.All)
	}
	t.Run("canceled", TestAcquireCanceled)
	t.Run("cancel loses nothing", TestCancelLosesNothing)
	t.Run("many waiters", TestManyWaiters)
	t.Run("no waiter starves", TestNobodyStarves)
	t.Run("closed", TestCloseWakesWaiters)
	t.Run("closed during release", TestCloseDuringRelease)
	t.Run("truncated", truncateLock)
	t.Run("hostile", TestHostileSemaphore)
	t.Run("wake passed on", TestWakeIsPassedOn)
}

func manyName(prefix string, i int) string { return prefix + "_" + strconv.Itoa(i) }

func init() {
	testkit.Roles["wait for many"] = waitForMany
	testkit.Roles["wait for many without futex_waitv"] = func(args []string, _ <-chan string) error {
		const futexWaitv = 449 // except on MIPS, which has other numbers
		runtime.LockOSThread()
		if err := forbid(futexWaitv); err != nil {
			fmt.Println("this system forbids seccomp:", err)
			return nil
		}
		os.Setenv(testkit.RoleEnv, "wait for many")
		return syscall.Exec("/proc/self/exe", append([]string{"child"}, args...), os.Environ()) // the filter stays
	}
}

// waitForMany waits for each semaphore three times. The third time there is no
// token: the first is truncated away, then the others' handles are closed or
// their contexts are cancelled.
func waitForMany(args []string, end <-chan string) error {
	debug.SetMaxThreads(fewThreads)
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var m many
	for i := range n {
		s, err := pyshm.AttachSemaphore(manyName(args[0], i))
		if err != nil {
			return err
		}
		m = append(m, s)
	}
	fmt.Println("waiting")
	for range 2 {
		for _, err := range m.acquire(context.Background()) {
			if err != nil {
				return err
			}
		}
		fmt.Println("all have acquired, with", threadCount(), "threads")
	}
	return m.stop(end)
}

// acquire acquires each of the semaphores, in a goroutine of its own.
func (m many) acquire(ctx context.Context) []error {
	errs := make([]error, len(m))
	var acquired sync.WaitGroup
	for i, s := range m {
		acquired.Go(func() {
			errs[i] = s.Acquire(ctx)
			if errors.Is(errs[i], pyshm.ErrFault) {
				fmt.Println("gone:", i)
			}
		})
	}
	acquired.Wait()
	return errs
}

// stop begins to acquire tokens that no process releases, and stops that at the end.
func (m many) stop(end <-chan string) error {
	ctx, cancel := context.WithCancel(context.Background())
	var began time.Time
	var closing sync.WaitGroup
	closing.Go(func() {
		<-end
		began = time.Now()
		cancel()
		for _, s := range m[len(m)/2:] {
			closing.Go(func() { s.Close() })
		}
	})
	errs := m.acquire(ctx)
	closing.Wait()
	took := time.Since(began)
	for i, err := range errs {
		if isStop := errors.Is(err, context.Canceled) || errors.Is(err, fs.ErrClosed); isStop != (i > 0) {
			return fmt.Errorf("%d: %w", i, err)
		}
	}
	fmt.Println("all have stopped after", took, "with", threadCount(), "threads")
	if took > cancelBound {
		return errors.New("that is late")
	}
	return nil
}

// forbid makes a system call fail with ENOSYS in this thread, and in programs that it
// executes.
func forbid(number uint32) error {
	const fail = 0x50000 + uint32(syscall.ENOSYS)
	return filterCalls([]syscall.SockFilter{
		{Code: bpfLoad, K: 0}, // the number of the system call
		{Code: bpfIfEqual, K: number, Jf: 1},
		{Code: bpfReturn, K: fail},
		{Code: bpfReturn, K: bpfAllow},
	})
}

const (
	bpfLoad, bpfAnd, bpfIfEqual, bpfReturn = 0x20, 0x54, 0x15, 0x06

	bpfAllow, bpfKill = 0x7fff0000, 0x80000000
)

// filterCalls applies a filter program to every system call of this thread from now on.
func filterCalls(program []syscall.SockFilter) error {
	const setNoNewPrivs, setSeccomp, modeFilter = 38, 22, 2
	filter := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setSeccomp, modeFilter, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		return errno
	}
	runtime.KeepAlive(program)
	return nil
}
