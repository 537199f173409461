//go:build unix

package conformance

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests are about waiters that do not wake up when they are notified.

// A notifier that stops waiting leaves counts with which Python can go on. It has
// notified two waiters: one gave up before, and one gives up later.
func TestPythonAfterNotifyTimeout(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		name := testkit.Name(t)
		c := must(pyshm.CreateCondition(name))(t)
		defer c.Unlink()
		defer c.Close()
		now := countsOf(t, conditionParts(name))

		check(t, c.Acquire(soon(t)))
		check(t, now.sleeping.Release())
		check(t, now.sleeping.Release())
		got := make(chan error)
		go func() { got <- c.Notify(within(t, 100*time.Millisecond), 2) }()
		wantState(t, now.wait, 2, 0)
		check(t, now.woken.Release())
		wantTimeout(t, <-got)
		wantState(t, now.sleeping, 1, 0)
		check(t, now.woken.Release())
		check(t, c.Release())

		check(t, p.Exec(fmt.Sprintf("from pyshm_attach import *\nshared = attach_condition(%q)\nwith shared: shared.notify()", name)))
		now.wantRest(t)
	})
}

// A Python is stopped when an event is set. If the setter does not wait for it, the
// Python sleeps on until the event is set again.
func TestSetWithStoppedPython(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		name := testkit.Name(t)
		e := must(pyshm.CreateEvent(name))(t)
		defer e.Unlink()
		defer e.Close()
		now := countsOf(t, conditionParts(name))
		check(t, p.Exec(fmt.Sprintf("from pyshm_attach import *\nshared = attach_event(%q)", name)))
		woken := later(p, "assert shared.wait(20)")
		wantState(t, now.wait, 0, 1)

		stop(t, p.Pid())
		wantTimeout(t, e.Set(within(t, 50*time.Millisecond)))
		check(t, syscall.Kill(p.Pid(), syscall.SIGCONT))
		wantEqual(t, "set", must(e.IsSet(t.Context()))(t), true)
		select {
		case err := <-woken:
			t.Errorf("woke up for a notification that was taken back: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		check(t, e.Set(t.Context()))
		check(t, <-woken)
		now.wantRest(t)
	})
}

// A Python that is killed while it waits never wakes up. Methods that wait for it return
// when their context is done. The event is set all the same.
func TestNotifyKilledPython(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		name := testkit.Name(t)
		c := must(pyshm.CreateCondition(name))(t)
		defer c.Unlink()
		defer c.Close()
		e := must(pyshm.CreateEvent(name + "_event"))(t)
		defer e.Unlink()
		defer e.Close()
		check(t, p.Exec(fmt.Sprintf(`
import threading
from pyshm_attach import *
condition, event = attach_condition(%q), attach_event(%q)
def wait():
    with condition: condition.wait()
for f in wait, event.wait:
    threading.Thread(target=f, daemon=True).start()
`, name, e.Name())))
		wantState(t, countsOf(t, conditionParts(name)).wait, 0, 1)
		wantState(t, countsOf(t, conditionParts(e.Name())).wait, 0, 1)
		must(p.Exit(compat.ExitSIGKILL))(t)

		check(t, c.Acquire(soon(t)))
		wantTimeout(t, c.Notify(briefly(t), 1))
		wantTimeout(t, c.NotifyAll(briefly(t)))
		wantTimeout(t, e.Set(briefly(t)))
		wantEqual(t, "set", must(e.IsSet(briefly(t)))(t), true)
		check(t, e.Wait(briefly(t)))
		check(t, e.Clear(briefly(t)))
	})
}

// stop returns when the process has stopped, until it gets a SIGCONT.
func stop(t *testing.T, pid int) {
	t.Helper()
	check(t, syscall.Kill(pid, syscall.SIGSTOP))
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		stat := must(os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)))(t)
		if bytes.Contains(stat, []byte(") T ")) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("does not stop: %s", stat)
		}
	}
}
