package pyshm_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// With these functions the tests of several files make and check segments and locks.

// create makes a segment, and closes and unlinks it when the test ends.
func create(t testing.TB, size int, opts ...pyshm.CreateOption) *pyshm.SharedMemory {
	t.Helper()
	m, err := pyshm.Create(testkit.Name(t), size, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return m
}

// attach attaches to a segment until the test ends.
func attach(t testing.TB, name string, opts ...pyshm.AttachOption) *pyshm.SharedMemory {
	t.Helper()
	m, err := pyshm.Attach(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func write(t testing.TB, m *pyshm.SharedMemory, text string, off int64) {
	t.Helper()
	if n, err := m.WriteAt([]byte(text), off); n != len(text) || err != nil {
		t.Fatalf("WriteAt = %d, %v", n, err)
	}
}

// want fails unless the segment holds the text.
func want(t testing.TB, m *pyshm.SharedMemory, text string, off int64) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := m.ReadAt(got, off); n != len(text) || err != nil || string(got) != text {
		t.Errorf("ReadAt = %d, %v, %q; want %q", n, err, got, text)
	}
}

// wantCurrent fails unless the name leads to the handle, as far as the system can tell.
func wantCurrent(t testing.TB, h interface{ Current() (bool, error) }) {
	t.Helper()
	current, err := h.Current()
	if testkit.KeepsNames && !testkit.HasIDs {
		if current || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Current without IDs: %v, %v", current, err)
		}
	} else if !current || err != nil {
		t.Errorf("the name does not lead to it: %v, %v", current, err)
	}
}

// needKind skips a test of a function if this system does not have what it makes or takes.
func needKind(t testing.TB, function string) {
	t.Helper()
	for _, kind := range []string{"Lock", "Semaphore", "Condition", "Event"} {
		if strings.Contains(function, kind) {
			testkit.NeedSemaphores(t)
		}
	}
}

// wantClosed fails unless the methods that need the memory return fs.ErrClosed.
func wantClosed(t *testing.T, m *pyshm.SharedMemory) {
	t.Helper()
	_, read := m.ReadAt(make([]byte, 1), 0)
	_, readPast := m.ReadAt(make([]byte, 1), -1)
	_, written := m.WriteAt(make([]byte, 1), 0)
	_, view := pyshm.View[int64](m, 0, 1)
	_, alias := m.Alias()
	_, current := m.Current()
	guard := m.Guard(func() error { panic("called") })
	for op, err := range map[string]error{
		"read": read, "read past": readPast, "write": written, "view": view, "alias": alias, "current": current, "guard": guard,
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if m.Bytes() != nil {
		t.Error("Bytes is not nil")
	}
}

// everyKind is a list with an item of every kind.
var everyKind = []any{int64(-2), 1.5, true, nil, "hé", []byte("\x00ab")}

// createList makes a list, and closes and unlinks it when the test ends.
func createList(t testing.TB, values []any, opts ...pyshm.ListOption) *pyshm.ShareableList {
	t.Helper()
	l, err := pyshm.CreateList(testkit.Name(t), values, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		if err := l.Unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return l
}

// A shared has the methods that all handles have.
type shared interface {
	Name() string
	Close() error
	Unlink() error
}

// keep fails the test if err is not nil, and closes and unlinks h in the end.
func keep[H shared](t testing.TB) func(h H, err error) H {
	t.Helper()
	return func(h H, err error) H {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			if err := h.Unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
		return h
	}
}

func createLock(t testing.TB, opts ...pyshm.LockOption) *pyshm.Lock {
	t.Helper()
	testkit.NeedSemaphores(t)
	return keep[*pyshm.Lock](t)(pyshm.CreateLock(testkit.Name(t), opts...))
}

func createSemaphore(t testing.TB, value int, opts ...pyshm.LockOption) *pyshm.Semaphore {
	t.Helper()
	testkit.NeedSemaphores(t)
	return keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(testkit.Name(t), value, opts...))
}

// emptyBoundedSemaphore creates a bounded semaphore and takes all of its tokens.
func emptyBoundedSemaphore(t testing.TB, bound int) *pyshm.Semaphore {
	t.Helper()
	testkit.NeedSemaphores(t)
	s := keep[*pyshm.Semaphore](t)(pyshm.CreateBoundedSemaphore(testkit.Name(t), bound))
	for range bound {
		noError(t, s.Acquire(t.Context()))
	}
	return s
}

// attachLock attaches to a lock until the test ends.
func attachLock(t testing.TB, name string) *pyshm.Lock {
	t.Helper()
	testkit.NeedSemaphores(t)
	l, err := pyshm.AttachLock(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantState fails unless the semaphore gets into this state within seconds.
func wantState(t testing.TB, s interface {
	Value() (int, error)
	Waiters() (int, error)
}, value, waiters int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		v, err := s.Value()
		noError(t, err)
		w, err := s.Waiters()
		noError(t, err)
		if v == value && w == waiters {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("value %d, %d waiters; want %d, %d", v, w, value, waiters)
		}
	}
}

// A stranger uses a semaphore as another process does, through a mapping of its
// own and with the steps of glibc.
type stranger struct{ sem.Semaphore }

func attachStranger(t testing.TB, name string) stranger {
	t.Helper()
	testkit.NeedSemaphores(t)
	m, err := pyshm.Attach("sem." + name)
	noError(t, err)
	t.Cleanup(func() { m.Close() })
	s, err := sem.At(m.Bytes())
	noError(t, err)
	return stranger{s}
}

func (s stranger) acquire(timeout time.Duration) bool {
	if s.Take() {
		return true
	}
	s.Count()
	for end := time.Now().Add(timeout); time.Now().Before(end); {
		taken, wake := s.TakeCounted()
		if taken {
			s.wake(wake)
			return true
		}
		s.Sleep(time.Until(end), new(futex.Alarm))
	}
	s.wake(s.Uncount())
	return false
}

// wake makes no system call for n = 0, because the kernel would wake one waiter.
func (s stranger) wake(n int) {
	if n > 0 {
		s.Wake(n)
	}
}

func (s stranger) release() {
	if _, waiters := s.Post(1, sem.MaxValue); waiters > 0 {
		s.Wake(1)
	}
}

func createCondition(t testing.TB) *pyshm.Condition {
	t.Helper()
	testkit.NeedSemaphores(t)
	return keep[*pyshm.Condition](t)(pyshm.CreateCondition(testkit.Name(t)))
}

// closed closes a handle that was opened.
func closed[H shared](h H, err error) error {
	if err != nil {
		return err
	}
	return h.Close()
}

// gone closes and unlinks a handle that was created.
func gone[H shared](h H, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(h.Close(), h.Unlink())
}

func createEvent(t testing.TB) *pyshm.Event {
	t.Helper()
	testkit.NeedSemaphores(t)
	return keep[*pyshm.Event](t)(pyshm.CreateEvent(testkit.Name(t)))
}

// startPython starts the preferred Python.
func startPython(t *testing.T) *compat.Peer {
	t.Helper()
	p := testkit.StartPeer(t, testkit.Python(t))
	// Its resource tracker must not unlink the segments of the test.
	noError(t, p.Exec("resource_tracker.register = lambda *args: None"))
	return p
}

// layoutOf returns the option for a list that Python reads.
func layoutOf(p *compat.Peer) pyshm.ListOption { return pyshm.Layout(p.Interpreter().Layout()) }
