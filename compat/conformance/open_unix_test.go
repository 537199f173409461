//go:build unix

package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// named is a handle, which leads from a name to a segment.
type named interface {
	Name() string
	Current() (bool, error)
	Close() error
	Unlink() error
}

// removed closes and unlinks h after the test.
func removed[H named](t testing.TB, h H) H {
	t.Helper()
	t.Cleanup(func() {
		check(t, h.Close())
		if err := h.Unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return h
}

// wantLeads fails unless the name leads to the handle, or not. On some systems it cannot be
// found out that it does.
func wantLeads(t testing.TB, h named, want bool) {
	t.Helper()
	if want && !testkit.HasIDs {
		_, err := h.Current()
		wantEqual(t, "unsupported", errors.Is(err, errors.ErrUnsupported), true)
		return
	}
	wantEqual(t, "the name of "+h.Name()+" leads to it", must(h.Current())(t), want)
}

// The Open functions attach to everything that Python has made, and Python attaches to
// everything that they make. The same is true of names with a star, which Python takes
// literally, and of names by a pattern.
func TestOpen(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec(`
import gc, _multiprocessing
from multiprocessing.shared_memory import ShareableList, SharedMemory
from pyshm_attach import *
def named_lock(name, value=1, maximum=1):
    return _multiprocessing.SemLock(1, value, maximum, '/' + name, False)
`))
		for _, tc := range []struct {
			name string
			test func(t *testing.T, p *compat.Peer, name string)
		}{
			{"blocks", testOpenBlocks}, {"lists", testOpenLists}, {"locks", testOpenLocks},
			{"condition and event", testOpenConditionAndEvent}, {"patterns", testPatterns},
			{"Python's locks appear", testPythonLockAppears}, {"restart", testRestart},
		} {
			for _, star := range []string{"", "*"} {
				t.Run(tc.name+star, func(t *testing.T) { tc.test(t, p, testkit.Name(t)+star) })
			}
		}
		check(t, p.Exec("made = attached = None; gc.collect()"))
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

func testOpenBlocks(t *testing.T, p *compat.Peer, name string) {
	check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q, create=True, size=64); made.buf[:6] = b'Python'", name)))
	theirs := must(pyshm.Open(name, 64))(t)
	wantEqual(t, "content", string(theirs.Bytes()[:6]), "Python")
	_, err := pyshm.Open(name, theirs.Size()+1)
	wantEqual(t, "too small", errors.Is(err, fs.ErrExist), true)
	check(t, theirs.Close())
	check(t, p.Exec("made.close(); made.unlink()"))

	ours := removed(t, must(pyshm.Open(name, 64))(t))
	copy(ours.Bytes(), "Go")
	check(t, p.Exec(fmt.Sprintf("attached = attach_block(%q)", name)))
	wantEqual(t, "content", string(eval[[]byte](t, p, "bytes(attached.buf[:2])")), "Go")
	check(t, p.Exec("attached.close()"))
}

func testOpenLists(t *testing.T, p *compat.Peer, name string) {
	layout := pyshm.Layout(p.Interpreter().Layout())
	check(t, p.Exec(fmt.Sprintf("made = ShareableList([1, 'two'], name=%q)", name)))
	theirs := must(pyshm.OpenList(name, []any{"not this"}, layout))(t)
	wantEqual(t, "length", theirs.Len(), 2)
	check(t, theirs.SetInt(0, 5))
	wantEqual(t, "item", eval[int64](t, p, "made[0]"), int64(5))
	check(t, theirs.Close())
	check(t, p.Exec("made.shm.close(); made.shm.unlink()"))

	removed(t, must(pyshm.OpenList(name, []any{"this", 7}, layout))(t))
	check(t, p.Exec(fmt.Sprintf("attached = attach_list(%q)", name)))
	wantEqual(t, "item", eval[string](t, p, "attached[0]"), "this")
	check(t, p.Exec("attached.shm.close()"))
}

func testOpenLocks(t *testing.T, p *compat.Peer, name string) {
	testkit.NeedSemaphores(t)
	check(t, p.Exec(fmt.Sprintf("made = named_lock(%q); made.acquire()", name)))
	theirs := removed(t, must(pyshm.OpenLock(name))(t))
	wantTimeout(t, theirs.Acquire(briefly(t)))
	check(t, p.Exec("made.release()"))
	check(t, theirs.With(soon(t), func() error {
		wantEqual(t, "Python acquires what Go holds", eval[bool](t, p, "made.acquire(False)"), false)
		return nil
	}))
	wantEqual(t, "Python acquires", eval[bool](t, p, "made.acquire(False)"), true)
	check(t, p.Exec("made.release(); made = None"))
	check(t, theirs.Unlink())

	ours := removed(t, must(pyshm.OpenLock(name))(t))
	check(t, p.Exec(fmt.Sprintf("attached = attach_lock(%q); attached.acquire()", name)))
	wantTimeout(t, ours.Acquire(briefly(t)))
	check(t, p.Exec("attached.release()"))

	bounded := removed(t, must(pyshm.OpenBoundedSemaphore(name+".b", 2))(t))
	check(t, bounded.Acquire(soon(t)))
	check(t, p.Exec(fmt.Sprintf("attached = attach_semaphore(%q, bound=2); attached.release()", name+".b")))
	wantPythonError(t, p.Exec("attached.release()"), "ValueError", "released too many times")
	if err := bounded.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("beyond the bound: %v", err)
	}
}

func testOpenConditionAndEvent(t *testing.T, p *compat.Peer, name string) {
	testkit.NeedSemaphores(t)
	event := removed(t, must(pyshm.OpenEvent(name))(t))
	check(t, p.Exec(fmt.Sprintf("attached = attach_event(%q)", name)))
	waited := later(p, "attached.wait()")
	check(t, event.Set(soon(t)))
	check(t, <-waited)
	again := must(pyshm.OpenEvent(name))(t)
	wantEqual(t, "set", must(again.IsSet(soon(t)))(t), true)
	check(t, again.Close())

	condition := removed(t, must(pyshm.OpenCondition(name+".c"))(t))
	check(t, p.Exec(fmt.Sprintf("attached = attach_condition(%q)", name+".c")))
	var notified <-chan error
	check(t, condition.With(soon(t), func() error {
		notified = later(p, "with attached: attached.notify()")
		return condition.Wait(soon(t))
	}))
	check(t, <-notified)
	check(t, p.Exec("with attached: pass"))
}

// Python takes a name that Go has chosen by a pattern.
func testPatterns(t *testing.T, p *compat.Peer, name string) {
	testkit.NeedSemaphores(t)
	base := strings.TrimSuffix(name, "*")
	block := removed(t, must(pyshm.Create(base+"-*", 64))(t))
	lock := removed(t, must(pyshm.CreateLock(base+"-*"))(t))
	event := removed(t, must(pyshm.CreateEvent(base+"-*"))(t))
	check(t, p.Exec(fmt.Sprintf("attached = [attach_block(%q), attach_lock(%q), attach_event(%q)]",
		block.Name(), lock.Name(), event.Name())))
	check(t, p.Exec("attached[0].buf[0] = 7; attached[0].close(); attached[1].acquire(); attached[2].set()"))
	wantEqual(t, "byte", block.Bytes()[0], byte(7))
	wantState(t, lock, 0, 0)
	wantEqual(t, "set", must(event.IsSet(soon(t)))(t), true)
}

// Go waits for a lock and a semaphore that Python has yet to make.
func testPythonLockAppears(t *testing.T, p *compat.Peer, name string) {
	testkit.NeedSemaphores(t)
	made := later(p, fmt.Sprintf("import time\ntime.sleep(.03)\nmade = named_lock(%q), named_lock(%q, 2, 3)", name, name+".s"))
	lock := removed(t, must(pyshm.AttachLockContext(soon(t), name))(t))
	semaphore := removed(t, must(pyshm.AttachBoundedSemaphoreContext(soon(t), name+".s", 3))(t))
	check(t, <-made)
	check(t, lock.Acquire(soon(t)))
	wantEqual(t, "Python acquires what Go holds", eval[bool](t, p, "made[0].acquire(False)"), false)
	wantState(t, semaphore, 2, 0)
}

// A producer in Python is restarted: the name does not lead any more to the segment to
// which Go is attached.
func testRestart(t *testing.T, p *compat.Peer, name string) {
	testkit.NeedSemaphores(t)
	check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q, create=True, size=64)\nlock = named_lock(%q)", name, name)))
	block := must(pyshm.Attach(name))(t)
	defer block.Close()
	lock := must(pyshm.AttachLock(name))(t)
	defer lock.Close()
	for _, h := range []named{block, lock} {
		wantLeads(t, h, true)
	}
	check(t, p.Exec(fmt.Sprintf("made.close(); made.unlink(); _multiprocessing.sem_unlink('/' + %q)", name)))
	for _, h := range []named{block, lock} {
		wantLeads(t, h, false)
	}
	check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q, create=True, size=64)\nlock = named_lock(%q)", name, name)))
	for _, h := range []named{block, lock} {
		wantLeads(t, h, false)
	}
	wantLeads(t, removed(t, must(pyshm.AttachLock(name))(t)), true)
	check(t, p.Exec("made.close(); made.unlink(); lock = None"))
}
