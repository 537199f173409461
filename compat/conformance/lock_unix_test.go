//go:build unix

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests share locks between this process and a Python, made by either.

// soon and briefly limit what should succeed, and what should not.

func soon(t testing.TB) context.Context { return within(t, testkit.Patience) }

func briefly(t testing.TB) context.Context { return within(t, 30*time.Millisecond) }

// A maker is the side that makes the lock. The other side attaches to it.
type maker struct {
	name    string
	context string // the context of multiprocessing, "" for Go
}

var makers = []maker{{"Go", ""}, {"Python spawn", "spawn"}, {"Python forkserver", "forkserver"}}

// TestShareLocks shares every kind of lock between Go and every interpreter, made
// by either.
func TestShareLocks(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	tests := []struct {
		kind string
		test func(t *testing.T, p *compat.Peer, by maker)
	}{
		{"Lock", testShareLock}, {"RLock", testShareRLock},
		{"Semaphore", testShareSemaphore}, {"BoundedSemaphore", testShareBoundedSemaphore},
		{"Condition", testShareCondition}, {"Event", testShareEvent},
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Locks)
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec("import gc, threading\nfrom pyshm_attach import *"))
		for _, by := range makers {
			for _, tc := range tests {
				t.Run(tc.kind+" made by "+by.name, func(t *testing.T) { tc.test(t, p, by) })
			}
		}
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// A shared has the methods that Lock, Semaphore, Condition and Event have in common.
type shared interface {
	comparable
	Close() error
	Unlink() error
}

// share returns Go's handle to what either side has made; Python's is the
// variable shared. made is the expression that makes it in Python, of a context
// called context. parts receives the names of what Python has made.
func share[H shared](t *testing.T, p *compat.Peer, by maker, made, attached string, parts any,
	create func(name string) (H, error), attach func() (H, error)) H {
	t.Helper()
	if by.context == "" {
		name := testkit.Name(t)
		h := must(create(name))(t)
		t.Cleanup(func() {
			check(t, h.Close())
			check(t, h.Unlink())
		})
		check(t, p.Exec(fmt.Sprintf("shared = "+attached, name)))
		return h
	}
	check(t, p.Exec(fmt.Sprintf("context = multiprocessing.get_context(%q)\nshared = %s", by.context, made)))
	check(t, json.Unmarshal([]byte(eval[string](t, p, "parts(shared)")), parts))
	h := must(attach())(t)
	t.Cleanup(func() {
		check(t, h.Close())
		check(t, p.Exec("shared = None; gc.collect()"))
		// Python has removed its lock itself.
		if err := h.Unlink(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("unlink of what Python has made: %v", err)
		}
	})
	return h
}

func eval[T any](t testing.TB, p *compat.Peer, expression string) T {
	t.Helper()
	v, ok := must(p.Eval(expression))(t).(T)
	if !ok {
		t.Fatalf("%s is not a %T", expression, v)
	}
	return v
}

// later runs statements in Python, whose outcome arrives on the channel.
func later(p *compat.Peer, statements string) <-chan error {
	done := make(chan error, 1)
	go func() { done <- p.Exec(statements) }()
	return done
}

// A counted has a value and waiters.
type counted interface {
	Value() (int, error)
	Waiters() (int, error)
}

// wantState fails unless the semaphore gets into this state soon.
func wantState(t testing.TB, s counted, value, waiters int) {
	t.Helper()
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		v, w := must(s.Value())(t), must(s.Waiters())(t)
		if v == value && w == waiters {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("value %d, %d waiters; want %d, %d", v, w, value, waiters)
		}
	}
}

func wantTimeout(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v instead of the end of the context", err)
	}
}

func shareLock(t *testing.T, p *compat.Peer, by maker, class string) *pyshm.Lock {
	t.Helper()
	var names struct{ Lock string }
	attached := map[string]string{"Lock": "attach_lock(%q)", "RLock": "attach_rlock(%q)"}[class]
	return share(t, p, by, "context."+class+"()", attached, &names,
		func(name string) (*pyshm.Lock, error) { return pyshm.CreateLock(name) },
		func() (*pyshm.Lock, error) { return pyshm.AttachLock(names.Lock) })
}

func testShareLock(t *testing.T, p *compat.Peer, by maker) {
	testExclusion(t, p, shareLock(t, p, by, "Lock"))
	l := shareLock(t, p, by, "Lock")

	// Any process may release, once.
	check(t, l.Acquire(soon(t)))
	check(t, p.Exec("shared.release()"))
	wantPythonError(t, p.Exec("shared.release()"), "ValueError", "released too many times")
	check(t, p.Exec("shared.acquire()"))
	check(t, l.Release())
	if err := l.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("release of a free lock: %v", err)
	}
	wantState(t, l, 1, 0)
}

func testShareRLock(t *testing.T, p *compat.Peer, by maker) {
	l := shareLock(t, p, by, "RLock")
	testExclusion(t, p, l)
	check(t, p.Exec("shared.acquire(); shared.acquire(); shared.release()"))
	wantEqual(t, "Go takes an RLock that Python holds once more", must(l.TryAcquire())(t), false)
	check(t, p.Exec("shared.release()"))
	wantState(t, l, 1, 0)
}

// testExclusion: the other side does not get a held lock, until the holder releases it
// or the time is over.
func testExclusion(t *testing.T, p *compat.Peer, l *pyshm.Lock) {
	t.Helper()
	check(t, l.Acquire(soon(t)))
	wantEqual(t, "Python's acquire(False)", eval[bool](t, p, "shared.acquire(False)"), false)
	wantEqual(t, "Python's acquire(True, 0.03)", eval[bool](t, p, "shared.acquire(True, 0.03)"), false)
	wantState(t, l, 0, 0)
	done := later(p, "shared.acquire()")
	wantState(t, l, 0, 1)
	check(t, l.Release())
	check(t, <-done)
	wantState(t, l, 0, 0)

	wantEqual(t, "Go's TryAcquire", must(l.TryAcquire())(t), false)
	wantTimeout(t, l.Acquire(briefly(t)))
	wantState(t, l, 0, 0)
	canceled, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() { got <- l.Acquire(canceled) }()
	wantState(t, l, 0, 1)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	wantState(t, l, 0, 0)
	go func() { got <- l.Acquire(soon(t)) }()
	wantState(t, l, 0, 1)
	check(t, p.Exec("shared.release()"))
	check(t, <-got)
	wantState(t, l, 0, 0)
	check(t, l.Release())
	wantState(t, l, 1, 0)
}

func testShareSemaphore(t *testing.T, p *compat.Peer, by maker) {
	s := shareSemaphore(t, p, by, "Semaphore(2)", "attach_semaphore(%q)", math.MaxInt32, pyshm.CreateSemaphore,
		func(name string, _ int) (*pyshm.Semaphore, error) { return pyshm.AttachSemaphore(name) })
	check(t, p.Exec("shared.release()"))
	check(t, s.Release())
	wantState(t, s, 4, 0)
}

func testShareBoundedSemaphore(t *testing.T, p *compat.Peer, by maker) {
	s := shareSemaphore(t, p, by, "BoundedSemaphore(2)", "attach_semaphore(%q, bound=2)", 2,
		pyshm.CreateBoundedSemaphore, pyshm.AttachBoundedSemaphore)
	wantPythonError(t, p.Exec("shared.release()"), "ValueError", "released too many times")
	if err := s.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("release beyond the bound: %v", err)
	}
}

// shareSemaphore shares two tokens and has them go to and fro.
func shareSemaphore(t *testing.T, p *compat.Peer, by maker, made, attached string, bound int,
	create func(name string, value int, opts ...pyshm.LockOption) (*pyshm.Semaphore, error),
	attach func(name string, bound int) (*pyshm.Semaphore, error),
) *pyshm.Semaphore {
	t.Helper()
	names := struct {
		Semaphore string
		Bound     int
	}{Bound: bound}
	s := share(t, p, by, "context."+made, attached, &names,
		func(name string) (*pyshm.Semaphore, error) { return create(name, 2) },
		func() (*pyshm.Semaphore, error) { return attach(names.Semaphore, names.Bound) })
	wantEqual(t, "the bound", names.Bound, bound)
	wantEqual(t, "it is a "+made, strings.HasPrefix(made, eval[string](t, p, "type(shared).__name__")), true)

	check(t, s.Acquire(soon(t)))
	wantEqual(t, "a token for Python", eval[bool](t, p, "shared.acquire(False)"), true)
	wantEqual(t, "Python's view of the value", eval[int64](t, p, "shared.get_value()"), int64(0))
	wantTimeout(t, s.Acquire(briefly(t)))
	done := later(p, "shared.acquire()")
	wantState(t, s, 0, 1)
	check(t, s.Release())
	check(t, <-done)
	check(t, p.Exec("shared.release(); shared.release()"))
	wantState(t, s, 2, 0)
	return s
}

// conditionParts returns the names of the parts of a condition that Go has made.
func conditionParts(name string) pyshm.ConditionParts {
	return pyshm.ConditionParts{Lock: name + ".lock", Sleeping: name + ".sleeping", Woken: name + ".woken", Wait: name + ".wait"}
}

// counts are the semaphores of a condition.
type counts struct{ lock, sleeping, woken, wait *pyshm.Semaphore }

func countsOf(t testing.TB, names pyshm.ConditionParts) counts {
	t.Helper()
	attach := func(name string) *pyshm.Semaphore {
		s := must(pyshm.AttachSemaphore(name))(t)
		t.Cleanup(func() { s.Close() })
		return s
	}
	return counts{attach(names.Lock), attach(names.Sleeping), attach(names.Woken), attach(names.Wait)}
}

// wantRest fails unless the condition gets to rest: the lock is free and no waiter is
// counted anywhere.
func (c counts) wantRest(t testing.TB) {
	t.Helper()
	wantState(t, c.lock, 1, 0)
	wantState(t, c.sleeping, 0, 0)
	wantState(t, c.woken, 0, 0)
	wantState(t, c.wait, 0, 0)
}

// sleepers are goroutines and Python threads that wait.
type sleepers struct {
	p    *compat.Peer
	here chan error
}

// fallAsleep starts n goroutines that call wait, and n Python threads that run
// "woken.append(EXPRESSION)", and returns when asleep says that they all sleep.
func fallAsleep(t *testing.T, p *compat.Peer, n int, wait func() error, expression string, asleep *pyshm.Semaphore) *sleepers {
	t.Helper()
	before := must(asleep.Value())(t)
	s := &sleepers{p, make(chan error, n)}
	for range n {
		go func() { s.here <- wait() }()
	}
	check(t, p.Exec(fmt.Sprintf(`
woken = []
def sleep():
    woken.append(%s)
threads = [threading.Thread(target=sleep, daemon=True) for _ in range(%d)]
for thread in threads:
    thread.start()
`, expression, n)))
	wantState(t, asleep, before+2*n, 0)
	return s
}

// wake waits until n of them have woken up.
func (s *sleepers) wake(t *testing.T, n int) {
	t.Helper()
	here := 0
	for end := time.Now().Add(testkit.Patience); here+s.there(t) < n; {
		select {
		case err := <-s.here:
			check(t, err)
			here++
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines and %d threads of %d woke up", here, s.there(t), n)
		}
	}
	time.Sleep(10 * time.Millisecond) // in which one too many could wake up
	if woken := here + len(s.here) + s.there(t); woken != n {
		t.Fatalf("%d woke up instead of %d", woken, n)
	}
	check(t, s.p.Exec("woken.clear()"))
}

// there returns how many Python threads have woken up, all of them notified.
func (s *sleepers) there(t *testing.T) int {
	t.Helper()
	wantEqual(t, "what wait() returned", eval[bool](t, s.p, "all(woken)"), true)
	return int(eval[int64](t, s.p, "len(woken)"))
}

func testShareCondition(t *testing.T, p *compat.Peer, by maker) {
	var names pyshm.ConditionParts
	c := share(t, p, by, "context.Condition()", "attach_condition(%q)", &names,
		func(name string) (*pyshm.Condition, error) {
			names = conditionParts(name)
			return pyshm.CreateCondition(name)
		},
		func() (*pyshm.Condition, error) { return pyshm.AttachConditionParts(names) })
	now := countsOf(t, names)
	wait := func() error {
		c.Locker().Lock()
		defer c.Locker().Unlock()
		return c.Wait(soon(t))
	}
	notify := func(n int) {
		t.Helper()
		check(t, c.Acquire(soon(t)))
		check(t, c.Notify(t.Context(), n))
		check(t, c.Release())
	}
	s := fallAsleep(t, p, 4, wait, `shared.__enter__() and shared.wait(20) and [shared.release()]`, now.sleeping)
	notify(1)
	s.wake(t, 1)
	check(t, p.Exec("with shared: shared.notify(2)"))
	s.wake(t, 2)
	notify(3)
	s.wake(t, 3)
	check(t, p.Exec("with shared: shared.notify_all()"))
	s.wake(t, 2)
	now.wantRest(t)

	// Some waiters give up. The others do not notice.
	check(t, c.Acquire(soon(t)))
	wantTimeout(t, c.Wait(briefly(t)))
	check(t, c.Release())
	check(t, p.Exec("with shared: assert not shared.wait(0.03)"))
	s = fallAsleep(t, p, 2, wait, `shared.__enter__() and shared.wait(20) and [shared.release()]`, now.sleeping)
	notify(1)
	s.wake(t, 1)
	check(t, c.Acquire(soon(t)))
	wantTimeout(t, c.Wait(briefly(t)))
	check(t, c.Release())
	check(t, p.Exec("with shared: shared.notify_all()"))
	s.wake(t, 3)
	now.wantRest(t)
}

func testShareEvent(t *testing.T, p *compat.Peer, by maker) {
	var names pyshm.EventParts
	e := share(t, p, by, "context.Event()", "attach_event(%q)", &names,
		func(name string) (*pyshm.Event, error) {
			names.ConditionParts = conditionParts(name)
			return pyshm.CreateEvent(name)
		},
		func() (*pyshm.Event, error) { return pyshm.AttachEventParts(names) })
	now := countsOf(t, names.ConditionParts)
	wantSet := func(want bool) {
		t.Helper()
		wantEqual(t, "set, for Go", must(e.IsSet(t.Context()))(t), want)
		wantEqual(t, "set, for Python", eval[bool](t, p, "shared.is_set()"), want)
	}
	wait := func() error { return e.Wait(soon(t)) }
	wantSet(false)
	wantTimeout(t, e.Wait(briefly(t)))
	wantEqual(t, "Python's wait(0.03)", eval[bool](t, p, "shared.wait(0.03)"), false)

	s := fallAsleep(t, p, 3, wait, "shared.wait(20)", now.sleeping)
	check(t, e.Set(t.Context()))
	s.wake(t, 6)
	wantSet(true)
	check(t, p.Exec("assert shared.wait()\nshared.clear()"))
	wantSet(false)
	s = fallAsleep(t, p, 3, wait, "shared.wait(20)", now.sleeping)
	check(t, p.Exec("shared.set()"))
	s.wake(t, 6)
	check(t, e.Wait(soon(t)))
	wantSet(true)
	check(t, e.Clear(t.Context()))
	wantSet(false)
	now.wantRest(t)
}

// TestAttachedLocksOutlivePython: in whatever way Python ends, the locks to which it has
// attached are still there, and it has not complained.
func TestAttachedLocksOutlivePython(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range []compat.Exit{compat.ExitNormal, compat.ExitSIGKILL} {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				p := start(t, py, testkit.AttachHelper(t))
				name := testkit.Name(t)
				l := must(pyshm.CreateLock(name))(t)
				e := must(pyshm.CreateEvent(name))(t)
				check(t, p.Exec(fmt.Sprintf(`
from pyshm_attach import *
lock, rlock, semaphore = attach_lock(%[1]q), attach_rlock(%[1]q), attach_semaphore("/" + %[1]q)
condition, event = attach_condition(%[1]q), attach_event(%[1]q)
with lock:
    pass
event.set()
`, name)))
				must(p.Exit(how))(t)
				check(t, l.Close())
				check(t, l.Unlink())
				wantEqual(t, "set", must(e.IsSet(t.Context()))(t), true)
				check(t, e.Close())
				check(t, e.Unlink())
				testkit.WantLeaks(t, p, 0)
			})
		}
	})
}

// TestSendAttachedLock passes locks to which pyshm_attach has attached on to children, as
// Python does with locks of its own.
func TestSendAttachedLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, "take.py"), []byte("def take(lock):\n    assert lock.acquire(True, 20)\n"), 0o600))
		p := start(t, py, compat.Dir(dir), compat.Env("PYTHONPATH="+testkit.HelperDir(t)))
		l := must(pyshm.CreateLock(testkit.Name(t)))(t)
		defer l.Unlink()
		defer l.Close()
		check(t, p.Exec(fmt.Sprintf("from pyshm_attach import *\nfrom take import take\nsys.shared = attach_rlock(%q)", l.Name())))
		for _, method := range testkit.Share(t, py, testkit.StartMethods) {
			check(t, p.Exec(fmt.Sprintf(`
child = multiprocessing.get_context(%q).Process(target=take, args=(sys.shared,))
child.start()
child.join()
assert child.exitcode == 0
`, method)))
			wantState(t, l, 0, 0)
			check(t, l.Reset()) // the child is dead
		}

		// A forked child does not hold its parent's locks.
		check(t, p.Exec("sys.shared.acquire()"))
		child := must(p.StartWorker("fork"))(t)
		wantEqual(t, "the child has the lock that its parent holds", eval[bool](t, child, "sys.shared.acquire(False)"), false)
		check(t, p.Exec("sys.shared.release()"))
		wantEqual(t, "the child gets the lock", eval[bool](t, child, "sys.shared.acquire(False)"), true)
		check(t, child.Exec("sys.shared.release()"))
	})
}

// TestAttachLockHelperRefuses files that would crash Python or have it sleep forever.
func TestAttachLockHelperRefuses(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec("from pyshm_attach import *"))
		lock := must(pyshm.CreateLock(testkit.Name(t)))(t)
		defer lock.Unlink()
		defer lock.Close()
		for what, content := range map[string]string{
			"an empty file":       "",
			"too short":           "\x01\x00\x00\x00\x00\x00\x00\x00\x80\x00\x00\x00",
			"a private semaphore": "\x01" + string(make([]byte, 31)),
			"a large file":        string(make([]byte, 5000)),
		} {
			name := testkit.Name(t)
			testkit.RemoveAfter(t, "sem."+name)
			check(t, os.WriteFile(fileOf("sem."+name), []byte(content), 0o600))
			for _, attach := range []string{"attach_lock", "attach_rlock", "attach_semaphore"} {
				_, err := p.Eval(fmt.Sprintf("%s(%q)", attach, name))
				wantPythonError(t, err, "ValueError", "not a semaphore")
			}
			if t.Failed() {
				t.Fatal(what)
			}
		}
		fifo := testkit.Name(t)
		testkit.RemoveAfter(t, "sem."+fifo)
		check(t, syscall.Mkfifo(fileOf("sem."+fifo), 0o600))
		_, err := p.Eval(fmt.Sprintf("attach_lock(%q)", fifo))
		wantPythonError(t, err, "ValueError", "not a semaphore") // without waiting for a writer
		directory := testkit.Name(t)
		testkit.RemoveAfter(t, "sem."+directory)
		check(t, os.Mkdir(fileOf("sem."+directory), 0o700))
		const descriptors = "len(os.listdir('/proc/self/fd'))"
		before := must(p.Eval(descriptors))(t)
		_, err = p.Eval(fmt.Sprintf("attach_lock(%q)", directory))
		wantPythonError(t, err, "ValueError", "not a semaphore")
		wantEqual(t, "open descriptors", must(p.Eval(descriptors))(t), before)
		for _, attach := range []string{"attach_lock", "attach_rlock", "attach_semaphore", "attach_condition", "attach_event"} {
			_, err := p.Eval(attach + "('missing')")
			wantPythonError(t, err, "FileNotFoundError", "missing")
			_, err = p.Eval(attach + "('a/b')")
			wantPythonError(t, err, "ValueError", "cannot be the name")
			_, err = p.Eval(attach + "(None)")
			wantPythonError(t, err, "TypeError", "a name is a str, not NoneType")
		}
		for _, bound := range []string{"0", "-1"} {
			_, err = p.Eval(fmt.Sprintf("attach_semaphore(%q, %s)", lock.Name(), bound))
			wantPythonError(t, err, "ValueError", "the bound is "+bound)
		}
		_, err = p.Eval("parts(multiprocessing.get_context('fork').Event())")
		wantPythonError(t, err, "ValueError", "get_context('spawn')")
		_, err = p.Eval("parts(42)")
		wantPythonError(t, err, "TypeError", "int")
	})
}

// TestAttachLockHelperOnMusl: sem_open of musl takes the segment of a list for a
// semaphore, because its semaphores are at /dev/shm/NAME, and writes to it. Here confstr
// returns the same as under musl, so that the helper looks at that file. Opening it needs
// a Python of musl.
func TestAttachLockHelperOnMusl(t *testing.T) {
	testkit.NeedSemaphores(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec(`
from pyshm_attach import *
def confstr(name):
    raise OSError(22, "Invalid argument")
os.confstr = confstr
`))
		list := createList(t, p, 1, "two").Name()
		_, err := p.Eval(fmt.Sprintf("attach_lock(%q)", list))
		wantPythonError(t, err, "ValueError", "not a semaphore")
		words := []int64{1, 0, 0, 0} // as musl makes it; 16 bytes for 32-bit processors
		semaphore := testkit.ForeignWords(t, words[:strconv.IntSize/16]...)
		_, err = p.Eval(fmt.Sprintf("attach_lock(%q)", semaphore))
		wantPythonError(t, err, "FileNotFoundError", semaphore)
	})
}
