//go:build unix

package pyshm_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

func TestCreateLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	data, err := os.ReadFile(pathOf("sem." + l.Name()))
	noError(t, err)
	if got := hex.EncodeToString(data); got != hex.EncodeToString(sem.Bytes(1)) {
		t.Errorf("content %s", got)
	}
	if st := stat(t, "sem."+l.Name()); st.Mode&0o777 != 0o600 || st.Nlink != 1 {
		t.Errorf("mode %o, %d links", st.Mode, st.Nlink)
	}
	wantState(t, l, 1, 0)
	other := attachLock(t, "/"+l.Name())
	noError(t, l.Acquire(t.Context()))
	wantState(t, other, 0, 0)
	if taken, err := other.TryAcquire(); taken || err != nil {
		t.Errorf("TryAcquire of a held lock: %v, %v", taken, err)
	}
	noError(t, other.Release()) // any process may
	if taken, err := l.TryAcquire(); !taken || err != nil {
		t.Errorf("TryAcquire of a free lock: %v, %v", taken, err)
	}
	noError(t, l.Release())
}

func TestLockNames(t *testing.T) {
	testkit.NeedLinux(t)
	long := prefix + strings.Repeat("x", 251-len(prefix))
	noError(t, keep[*pyshm.Lock](t)(pyshm.CreateLock(long)).Unlink())
	for name, reason := range map[string]error{
		long + "x":         syscall.ENAMETOOLONG,
		"/":                fs.ErrInvalid,
		prefix + "a/b":     fs.ErrInvalid,
		prefix + "a:b":     fs.ErrInvalid,
		prefix + "é":       fs.ErrInvalid,
		prefix + "\n":      fs.ErrInvalid,
		prefix + "a\x00":   fs.ErrInvalid,
		prefix + "missing": fs.ErrNotExist,
	} {
		open := func(name string) (*pyshm.Lock, error) { return pyshm.CreateLock(name) }
		if reason == fs.ErrNotExist {
			open = pyshm.AttachLock
		}
		_, err := open(name)
		var e *pyshm.Error
		if !errors.Is(err, reason) || !errors.As(err, &e) || e.Name != strings.TrimPrefix(name, "/") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := pyshm.AttachLock(""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	own := keep[*pyshm.Lock](t)(pyshm.CreateLock(""))
	if !regexp.MustCompile(`^mp-[a-z0-9_]{8}$`).MatchString(own.Name()) {
		t.Errorf("chose the name %q", own.Name())
	}
}

func TestLockOptions(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t, pyshm.Mode(0o660))
	if st := stat(t, "sem."+l.Name()); st.Mode&0o777 != 0o660 {
		t.Errorf("mode %o", st.Mode)
	}
	if _, err := pyshm.CreateLock(l.Name()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("taken name: %v", err)
	}
	noError(t, l.Acquire(t.Context()))
	next := keep[*pyshm.Lock](t)(pyshm.CreateLock(l.Name(), pyshm.Replace()))
	wantState(t, next, 1, 0)
	wantState(t, l, 0, 0)
	if err := l.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlinked the name of another lock: %v", err)
	}
	if _, err := pyshm.CreateLock(testkit.Name(t), pyshm.Mode(fs.ModeSetuid|0o600)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("more than permissions: %v", err)
	}
}

func TestReleaseOfFreeLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	for range 2 {
		if err := l.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
			t.Errorf("release of a free lock: %v", err)
		}
	}
	wantState(t, l, 1, 0)
}

// Many goroutines release a lock that was acquired once. Exactly one succeeds.
func TestReleaseIsExact(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	other := attachLock(t, l.Name())
	for range 500 {
		noError(t, l.Acquire(t.Context()))
		var all sync.WaitGroup
		released := make(chan bool, 4)
		for i := range cap(released) {
			all.Go(func() {
				handle := []*pyshm.Lock{l, other}[i%2]
				released <- handle.Release() == nil
			})
		}
		all.Wait()
		close(released)
		n := 0
		for ok := range released {
			if ok {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d of 4 have released", n)
		}
	}
	wantState(t, l, 1, 0)
}

func TestSemaphoreBound(t *testing.T) {
	testkit.NeedSemaphores(t)
	s := keep[*pyshm.Semaphore](t)(pyshm.CreateBoundedSemaphore(testkit.Name(t), 2))
	if err := s.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("beyond the bound: %v", err)
	}
	noError(t, s.Acquire(t.Context()))
	noError(t, s.Acquire(t.Context()))
	if taken, err := s.TryAcquire(); taken || err != nil {
		t.Errorf("a third token: %v, %v", taken, err)
	}
	// The bound belongs to the handle: a handle without it can exceed it.
	free, err := pyshm.AttachSemaphore(s.Name())
	noError(t, err)
	defer free.Close()
	for range 3 {
		noError(t, free.Release())
	}
	wantState(t, s, 3, 0)
	bounded, err := pyshm.AttachBoundedSemaphore(s.Name(), 4)
	noError(t, err)
	defer bounded.Close()
	noError(t, bounded.Release())
	if err := bounded.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("beyond the bound: %v", err)
	}
}

func TestSemaphoreOverflow(t *testing.T) {
	testkit.NeedSemaphores(t)
	s := createSemaphore(t, math.MaxInt32)
	if err := s.Release(); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Errorf("beyond SEM_VALUE_MAX: %v", err)
	}
	wantState(t, s, math.MaxInt32, 0)
}

func TestSemaphoreArguments(t *testing.T) {
	testkit.NeedSemaphores(t)
	tooLarge := math.MaxInt32
	tooLarge++ // negative where int has 32 bits
	for _, value := range []int{-1, tooLarge, math.MinInt} {
		if _, err := pyshm.CreateSemaphore(testkit.Name(t), value); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("value %d: %v", value, err)
		}
	}
	s := createSemaphore(t, 0, pyshm.Mode(0o640))
	for _, bound := range []int{0, -1, tooLarge, math.MinInt} {
		if _, err := pyshm.CreateBoundedSemaphore(testkit.Name(t), bound); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("bound %d: %v", bound, err)
		}
		if _, err := pyshm.AttachBoundedSemaphore(s.Name(), bound); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("attach with bound %d: %v", bound, err)
		}
	}
}

func TestReset(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	if err := l.Reset(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("reset of a free lock: %v", err)
	}
	noError(t, l.Acquire(t.Context())) // for a process that has died since
	s := attachStranger(t, l.Name())
	s.Count() // for a waiter that has died, too
	got := make(chan error)
	go func() { got <- l.Acquire(within(t, 10*time.Second)) }()
	wantState(t, l, 0, 2)
	noError(t, l.Reset())
	noError(t, <-got)
	wantState(t, l, 0, 1)
	noError(t, l.Release())
	wantState(t, l, 1, 1)

	// The leaked waiter is harmless.
	for range 1000 {
		noError(t, l.Acquire(t.Context()))
		noError(t, l.Release())
	}
	contend(t, 4, 500, l)
	wantState(t, l, 1, 1)

	bounded := emptyBoundedSemaphore(t, 3)
	noError(t, bounded.Reset())
	wantState(t, bounded, 3, 0)
	unbounded := createSemaphore(t, 0)
	if err := unbounded.Reset(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("reset without a bound: %v", err)
	}
}

// contend has goroutines increment a number, each under one of the handles to
// the same lock, and fails if an increment is lost.
func contend(t *testing.T, goroutines, increments int, handles ...*pyshm.Lock) {
	t.Helper()
	number := 0
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			l := handles[i%len(handles)]
			for range increments {
				if err := l.Acquire(t.Context()); err != nil {
					t.Error(err)
					return
				}
				number++
				if err := l.Release(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if number != goroutines*increments {
		t.Errorf("%d increments, counted %d", goroutines*increments, number)
	}
}

func TestMutualExclusion(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	contend(t, 8, 2000, l, attachLock(t, l.Name()))
	wantState(t, l, 1, 0)
}

func TestLocker(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	locker := l.Locker()
	locker.Lock()
	wantState(t, l, 0, 0)
	locker.Unlock()
	wantState(t, l, 1, 0)
	for what, f := range map[string]func(){
		"Unlock of a free lock": locker.Unlock,
		"Lock after Close": func() {
			l.Close()
			locker.Lock()
		},
	} {
		func() {
			defer func() {
				if err, ok := recover().(error); !ok || err == nil {
					t.Errorf("%s: no panic with an error", what)
				}
			}()
			f()
		}()
	}
}

// AttachLock refuses a file that is not a semaphore, and leaves it as it is.
func TestAttachLockRefuses(t *testing.T) {
	testkit.NeedLinux(t)
	file := func(t *testing.T, content []byte) string {
		name := testkit.Name(t)
		noError(t, os.WriteFile(pathOf("sem."+name), content, 0o600))
		t.Cleanup(func() { os.Remove(pathOf("sem." + name)) })
		return name
	}
	good := sem.Bytes(1)
	private := sem.Bytes(1)
	copy(private[4:], make([]byte, 8)) // the field private of either layout
	other := make([]byte, 48-len(good))
	copy(other, good)
	for what, tc := range map[string]struct {
		content []byte
		reason  error
		says    string
	}{
		"a private semaphore":      {private, pyshm.ErrNotSemaphore, "private"},
		"one of the other size":    {other, pyshm.ErrNotSemaphore, "bytes instead of"},
		"one that is too long":     {append(good, 0), pyshm.ErrNotSemaphore, "bytes instead of"},
		"text":                     {bytes.Repeat([]byte("text"), len(good)/4), pyshm.ErrNotSemaphore, "private"},
		"an empty file":            {nil, format.ErrIncomplete, "size"},
		"a large file":             {make([]byte, 1<<20), pyshm.ErrNotSemaphore, "1048576"},
		"a semaphore in hindsight": {good, nil, ""},
	} {
		name := file(t, tc.content)
		before := stat(t, "sem."+name)
		l, err := pyshm.AttachLock(name)
		if err == nil {
			l.Close()
		}
		if !errors.Is(err, tc.reason) || err != nil && !regexp.MustCompile("^pyshm: attach lock .*"+tc.says).MatchString(err.Error()) {
			t.Errorf("%s: %v", what, err)
		}
		after := stat(t, "sem."+name)
		content, err := os.ReadFile(pathOf("sem." + name))
		if err != nil || string(content) != string(tc.content) || after.Mtim != before.Mtim || after.Ctim != before.Ctim {
			t.Errorf("%s: changed: %q, %v", what, content, err)
		}
	}
}

func TestAttachLockRefusesSpecialFiles(t *testing.T) {
	testkit.NeedLinux(t)
	for what, tc := range map[string]struct {
		make   func(path string) error
		reason error
	}{
		"a symbolic link": {func(path string) error { return os.Symlink("/etc/passwd", path) }, syscall.ELOOP},
		"a directory":     {func(path string) error { return os.Mkdir(path, 0o700) }, syscall.EISDIR},
		"a FIFO":          {func(path string) error { return syscall.Mkfifo(path, 0o600) }, fs.ErrInvalid},
	} {
		name := testkit.Name(t)
		noError(t, tc.make(pathOf("sem."+name)))
		if _, err := pyshm.AttachLock(name); !errors.Is(err, tc.reason) {
			t.Errorf("%s: %v", what, err)
		}
		noError(t, os.Remove(pathOf("sem."+name)))
	}
}

// A caller that takes the name of a block for a lock's reads that it is none.
func TestLockOfABlock(t *testing.T) {
	testkit.NeedSemaphores(t)
	m := create(t, 100)
	_, err := pyshm.AttachLock(m.Name())
	want := `pyshm: attach lock "` + m.Name() + `": no such file or directory (the segment of that name is no lock or semaphore)`
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := pyshm.AttachLockContext(ctx, m.Name()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("AttachLockContext does not wait: %v", err)
	}
}

// The names of musl's semaphores have no prefix.
func TestAttachLockOfMusl(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 32)
	_, err := pyshm.AttachLock(m.Name())
	if !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "musl") {
		t.Error(err)
	}
}

func TestClosedLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	other := attachLock(t, l.Name())
	noError(t, l.Acquire(t.Context()))
	noError(t, l.Close())
	noError(t, l.Close())
	wantClosedLock(t, l)
	wantState(t, other, 0, 0) // Close releases nothing
	noError(t, l.Unlink())
	wantClosedLock(t, new(pyshm.Lock))
	if err := new(pyshm.Lock).Unlink(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

func wantClosedLock(t *testing.T, l *pyshm.Lock) {
	t.Helper()
	_, try := l.TryAcquire()
	_, value := l.Value()
	_, waiters := l.Waiters()
	for op, err := range map[string]error{
		"acquire": l.Acquire(t.Context()), "try": try, "release": l.Release(), "reset": l.Reset(),
		"value": value, "waiters": waiters,
	} {
		var e *pyshm.Error
		if !errors.Is(err, fs.ErrClosed) || !errors.As(err, &e) || e.Name != l.Name() {
			t.Errorf("%s: %v", op, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A handle keeps the semaphore when its name is gone.
func TestUnlinkedLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	l := createLock(t)
	other := attachLock(t, l.Name())
	noError(t, other.Unlink())
	if err := l.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second Unlink: %v", err)
	}
	noError(t, l.Acquire(t.Context()))
	wantState(t, other, 0, 0)
}

// valueOffset is the offset of the value in the file of a semaphore.
var valueOffset = int64(bytes.IndexFunc(sem.Bytes(1), func(r rune) bool { return r != 0 }) &^ 3)
