//go:build unix

package pyshm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// openers has the Open functions, for a handle of each kind.
var openers = map[string]func(name string) (named, error){
	"Open":                 func(name string) (named, error) { return pyshm.Open(name, 8) },
	"OpenList":             func(name string) (named, error) { return pyshm.OpenList(name, []any{1, "two"}) },
	"OpenLock":             func(name string) (named, error) { return pyshm.OpenLock(name) },
	"OpenSemaphore":        func(name string) (named, error) { return pyshm.OpenSemaphore(name, 3) },
	"OpenBoundedSemaphore": func(name string) (named, error) { return pyshm.OpenBoundedSemaphore(name, 3) },
	"OpenCondition":        func(name string) (named, error) { return pyshm.OpenCondition(name) },
	"OpenEvent":            func(name string) (named, error) { return pyshm.OpenEvent(name) },
}

func init() {
	testkit.Roles["opener"] = func(args []string, input <-chan string) error {
		fmt.Println("ready")
		for _, name := range args[1:] {
			for { // all processes begin when this file exists
				if _, err := os.Stat(pathOf(name + ".go")); err == nil {
					break
				}
			}
			h, err := openers[args[0]](name)
			if err != nil {
				return err
			}
			if current, err := h.Current(); !current || err != nil {
				return fmt.Errorf("opened %s, which is another's: %v, %w", name, current, err)
			}
		}
		fmt.Println("opened all")
		<-input
		return nil
	}
}

// Many goroutines and processes that open one name at once all get the same segment.
func TestOpenRace(t *testing.T) {
	testkit.NeedLinux(t)
	const rounds, goroutines, processes = 8, 4, 2
	for function, open := range openers {
		t.Run(function, func(t *testing.T) {
			var names []string
			for range rounds {
				names = append(names, testkit.Name(t))
			}
			var children []*testkit.Child
			for range processes {
				c := testkit.StartChild(t, "opener", append([]string{function}, names...)...)
				c.Line(t)
				children = append(children, c)
			}
			for _, name := range names {
				noError(t, os.WriteFile(pathOf(name+".go"), nil, 0o600))
				var all sync.WaitGroup
				for range goroutines {
					all.Go(func() {
						h, err := open(name)
						if err != nil {
							t.Error(err)
							return
						}
						if current, err := h.Current(); !current || err != nil {
							t.Errorf("it is another's: %v, %v", current, err)
						}
						if err := h.Close(); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			}
			for _, c := range children {
				if last := c.Line(t); last != "opened all" {
					t.Error(last)
				}
				c.End(t)
			}
			for _, name := range names {
				h, err := open(name)
				noError(t, err)
				noError(t, errors.Join(h.Close(), h.Unlink(), pyshm.Unlink(name+".go")))
			}
		})
	}
}

// A segment that exists stays as it is.
func TestOpenWhatExists(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	write(t, m, "kept", 0)
	opened := keep[*pyshm.SharedMemory](t)(pyshm.Open(m.Name(), 16, pyshm.Mode(0o666), pyshm.Sparse()))
	want(t, opened, "kept", 0)
	if st := stat(t, m.Name()); opened.Size() != 64 || st.Mode&0o777 != 0o600 {
		t.Errorf("size %d, mode %o", opened.Size(), st.Mode)
	}

	l := createList(t, []any{1, 2, 3})
	list := keep[*pyshm.ShareableList](t)(pyshm.OpenList(l.Name(), []any{"other"}, pyshm.Layout(format.Sizes)))
	if n := list.Len(); n != 3 || list.Layout() != format.Offsets {
		t.Errorf("%d items, layout %v", n, list.Layout())
	}

	held := createLock(t)
	noError(t, held.Acquire(t.Context()))
	wantState(t, keep[*pyshm.Lock](t)(pyshm.OpenLock(held.Name())), 0, 0)

	s := createSemaphore(t, 1)
	wantState(t, keep[*pyshm.Semaphore](t)(pyshm.OpenSemaphore(s.Name(), 5)), 1, 0)
	bounded := keep[*pyshm.Semaphore](t)(pyshm.OpenBoundedSemaphore(s.Name(), 1))
	if err := bounded.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("beyond the bound: %v", err)
	}

	e := keep[*pyshm.Event](t)(pyshm.CreateEvent(testkit.Name(t)))
	noError(t, e.Set(t.Context()))
	set, err := keep[*pyshm.Event](t)(pyshm.OpenEvent(e.Name())).IsSet(t.Context())
	if !set || err != nil {
		t.Errorf("set: %v, %v", set, err)
	}
}

// A missing segment is made as the Create functions make it.
func TestOpenCreates(t *testing.T) {
	testkit.NeedLinux(t)
	m := keep[*pyshm.SharedMemory](t)(pyshm.Open(testkit.Name(t), 1<<30, pyshm.Mode(0o640), pyshm.Sparse()))
	if st := stat(t, m.Name()); m.Size() != 1<<30 || st.Mode&0o777 != 0o640 || st.Blocks != 0 {
		t.Errorf("size %d, mode %o, %d blocks", m.Size(), st.Mode, st.Blocks)
	}
	l := keep[*pyshm.ShareableList](t)(pyshm.OpenList(testkit.Name(t), []any{1, "two"}, pyshm.Layout(format.Sizes)))
	if v, err := l.Str(1); v != "two" || err != nil || l.Layout() != format.Sizes {
		t.Errorf("%v, %v, layout %v", v, err, l.Layout())
	}
	lock := keep[*pyshm.Lock](t)(pyshm.OpenLock(testkit.Name(t), pyshm.Mode(0o660)))
	if st := stat(t, "sem."+lock.Name()); st.Mode&0o777 != 0o660 {
		t.Errorf("mode %o", st.Mode)
	}
	wantState(t, lock, 1, 0)
	wantState(t, keep[*pyshm.Semaphore](t)(pyshm.OpenSemaphore(testkit.Name(t), 5)), 5, 0)
}

func TestOpenRefuses(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	_, err := pyshm.Open(m.Name(), 65)
	var e *pyshm.Error
	if !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || e.Op != "open" || !strings.Contains(err.Error(), "64 bytes") {
		t.Errorf("too small: %v", err)
	}
	if _, err := pyshm.Open(m.Name(), 0); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no size: %v", err)
	}
	write(t, m, strings.Repeat("\xff", 64), 0)
	if _, err := pyshm.OpenList(m.Name(), []any{1}); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("a block as a list: %v", err)
	}
	if _, err := pyshm.OpenSemaphore(testkit.Name(t), -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("value -1: %v", err)
	}
	if _, err := pyshm.OpenBoundedSemaphore(testkit.Name(t), 0); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("bound 0: %v", err)
	}
	noError(t, os.WriteFile(pathOf("sem."+m.Name()), make([]byte, 31), 0o600))
	defer pyshm.Unlink("sem." + m.Name())
	if _, err := pyshm.OpenLock(m.Name()); !errors.Is(err, pyshm.ErrNotSemaphore) {
		t.Errorf("no lock: %v", err)
	}
	empty := testkit.Name(t)
	noError(t, os.WriteFile(pathOf(empty), nil, 0o600))
	defer pyshm.Unlink(empty)
	if _, err := pyshm.Open(empty, 1); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("no size yet: %v", err)
	}
	for function, open := range openers {
		for _, name := range []string{"", "/", "a/b", "..", "a:b", ".pyshm-x"} {
			if _, err := open(name); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%q): %v", function, name, err)
			}
		}
	}
}

// A process that died while it created an event leaves an incomplete one. OpenEvent does
// not wait for ever until it is complete.
func TestOpenEventLeftHalfDone(t *testing.T) {
	t.Parallel()
	testkit.NeedSemaphores(t)
	name := testkit.Name(t)
	left := keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(name+".flag", 0))
	_, err := pyshm.OpenEvent(name)
	var e *pyshm.Error
	if !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || e.Name != left.Name() {
		t.Errorf("%v", err)
	}
	wantFiles(t, name, "flag")
}

// OpenCondition waits for a process that is creating the condition.
func TestOpenConditionWaits(t *testing.T) {
	testkit.NeedSemaphores(t)
	name := testkit.Name(t)
	var made []*pyshm.Semaphore
	for _, part := range []string{".wait", ".woken", ".sleeping"} {
		made = append(made, keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(name+part, 0)))
	}
	late := time.AfterFunc(20*time.Millisecond, func() {
		lock, err := pyshm.CreateLock(name + ".lock")
		if err == nil {
			err = lock.Close()
		}
		if err != nil {
			t.Error(err)
		}
	})
	defer late.Stop()
	c := keep[*pyshm.Condition](t)(pyshm.OpenCondition(name))
	if current, err := c.Current(); !current || err != nil {
		t.Errorf("%v, %v", current, err)
	}
	for _, s := range made {
		if current, err := s.Current(); !current || err != nil {
			t.Errorf("%v: %v, %v", s, current, err)
		}
	}
}

// Open ends although a name appears and vanishes all the time.
func TestOpenEnds(t *testing.T) {
	name := testkit.Name(t)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if m, err := pyshm.Create(name, 8); err == nil {
					m.Unlink()
					m.Close()
				}
			}
		}
	})
	for range 20 {
		m, err := pyshm.Open(name, 8)
		switch {
		case err == nil:
			m.Unlink()
			m.Close()
		case !errors.Is(err, syscall.EEXIST):
			t.Error(err)
		}
	}
	close(stop)
	all.Wait()
}
