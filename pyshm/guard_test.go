package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestTruncated(t *testing.T) {
	testkit.NeedFaultAddress(t)
	testkit.NeedLinux(t)
	page := os.Getpagesize()
	for _, size := range []int{0, 100, page} {
		m := create(t, 3*page)
		if err := os.Truncate(pathOf(m.Name()), int64(size)); err != nil {
			t.Fatal(err)
		}
		all := make([]byte, m.Size())
		if n, err := m.ReadAt(all, 0); n != 0 || !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: ReadAt = %d, %v", size, n, err)
		}
		if n, err := m.WriteAt(all, 0); n != 0 || !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: WriteAt = %d, %v", size, n, err)
		}
		last, err := pyshm.View[uint64](m, m.Size()-8, 1)
		if err != nil {
			t.Fatal(err)
		}
		err = m.Guard(func() error {
			last[0]++
			return nil
		})
		if !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: Guard = %v", size, err)
		}
		// The remaining bytes can still be read.
		if size > 0 {
			want(t, m, "\x00", 0)
		}
	}
}

func TestTruncatedWhileReading(t *testing.T) {
	testkit.NeedFaultAddress(t)
	testkit.NeedLinux(t)
	const size = 1 << 20
	m := create(t, size)
	path := pathOf(m.Name())
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for n := int64(0); ; n = (n + size/7) % size {
			select {
			case <-stop:
				return
			default:
				os.Truncate(path, n)
				runtime.Gosched()
				os.Truncate(path, size)
			}
		}
	}()
	p := make([]byte, size)
	faults, whole := 0, 0
	for faults < 20 || whole < 2 {
		switch n, err := m.ReadAt(p, 0); {
		case err == nil && n == size:
			whole++
		case n == 0 && errors.Is(err, pyshm.ErrFault):
			faults++
		default:
			t.Fatalf("ReadAt = %d, %v", n, err)
		}
	}
}

func TestGuardPassesResult(t *testing.T) {
	m := create(t, 1)
	boom := errors.New("boom")
	if err := m.Guard(func() error { return boom }); err != boom {
		t.Errorf("Guard = %v", err)
	}
	if err := m.Guard(func() error { return nil }); err != nil {
		t.Errorf("Guard = %v", err)
	}
}

// A guard catches nothing but faults in its own segment.
func TestGuardLetsPanicsPass(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 1)
	readOnly := attach(t, m.Name(), pyshm.ReadOnly())
	memory, faults := readOnly.Bytes(), readOnly
	if testkit.HasFaultAddress(t) {
		faults = create(t, 1)
		memory = faults.Bytes()
		if err := os.Truncate(pathOf(faults.Name()), 0); err != nil {
			t.Fatal(err)
		}
	}
	var none *int
	for what, f := range map[string]func(){
		"an error":                 func() { panic(errors.New("boom")) },
		"a nil dereference":        func() { *none = 1 },
		"an index":                 func() { memory[len(memory)]++ },
		"a fault in other segment": func() { memory[0]++ },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not pass", what)
				}
			}()
			err := m.Guard(func() error { f(); return nil })
			t.Errorf("%s: Guard = %v", what, err)
		}()
	}
	// The inner guard, for the other segment, gets the fault.
	err := faults.Guard(func() error {
		return m.Guard(func() error { memory[0]++; return nil })
	})
	var e *pyshm.Error
	if !errors.As(err, &e) || e.Name != faults.Name() || !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("nested Guard = %v", err)
	}
}

func TestGuardLetsGoexitPass(t *testing.T) {
	m := create(t, 1)
	done := make(chan bool)
	go func() {
		defer close(done)
		m.Guard(func() error { runtime.Goexit(); return nil })
		t.Error("Goexit returned")
	}()
	<-done
}

// A context whose method does something runs it in an Acquire that waits.
type doing struct {
	context.Context
	do func()
}

func (d doing) Done() <-chan struct{} { d.do(); return nil }

// The guard in Acquire lets a panic or the end of the goroutine pass, and restores the
// goroutine's setting.
func TestGuardOfAcquire(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	if err := l.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func(){
		"panic":  func() { panic("boom") },
		"Goexit": runtime.Goexit,
	} {
		done := make(chan bool)
		go func() {
			defer close(done)
			defer func() {
				if r := recover(); (r == "boom") != (what == "panic") {
					t.Errorf("%s: recover returns %v", what, r)
				}
				if debug.SetPanicOnFault(false) {
					t.Errorf("%s: faults still panic", what)
				}
			}()
			l.Acquire(doing{t.Context(), do})
			t.Errorf("%s: Acquire returned", what)
		}()
		<-done
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if err := l.Acquire(t.Context()); err != nil {
		t.Error(err)
	}
}

// With this setting, recover returns nil for panic(nil), as before Go 1.21.
func TestGuardLetsNilPanicPass(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	l := createList(t, []any{1})
	for what, call := range map[string]func(){
		"Guard": func() { l.SharedMemory().Guard(func() error { panic(nil) }) },
		"Batch": func() { l.Batch(func(*format.List) error { panic(nil) }) },
	} {
		done := make(chan bool)
		go func() {
			defer close(done)
			defer func() { recover() }()
			call()
			t.Errorf("%s returned", what)
		}()
		<-done
	}
}

// The guard restores the goroutine's setting.
func TestGuardRestoresSetting(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 4096)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(false))
	for _, setting := range []bool{false, true} {
		debug.SetPanicOnFault(setting)
		want(t, m, "\x00", 0)
		if now := debug.SetPanicOnFault(setting); now != setting {
			t.Errorf("%v became %v after a read", setting, now)
		}
		if err := os.Truncate(pathOf(m.Name()), 0); err != nil {
			t.Fatal(err)
		}
		m.ReadAt(make([]byte, 1), 0)
		if now := debug.SetPanicOnFault(setting); now != setting {
			t.Errorf("%v became %v after a fault", setting, now)
		}
		if err := os.Truncate(pathOf(m.Name()), 4096); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRawSliceInSystemCall(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 4096)
	memory := m.Bytes()
	m.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(memory); err == nil || !strings.Contains(err.Error(), "bad address") {
		t.Errorf("write of closed memory: %v", err)
	}
}

func TestClosedWithinGuard(t *testing.T) {
	m := create(t, 4096)
	memory := m.Bytes()
	err := m.Guard(func() error {
		if err := m.Close(); err != nil {
			return err
		}
		memory[0] = 1
		return nil
	})
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard = %v", err)
	}
}

// scopedWrites has each function that lends memory. They call f and then write the last
// byte of a segment of whole pages.
var scopedWrites = map[string]func(m *pyshm.SharedMemory, f func() error) error{
	"WithBytes": func(m *pyshm.SharedMemory, f func() error) error {
		return m.WithBytes(func(b []byte) error {
			err := f()
			b[len(b)-1] = 7
			return err
		})
	},
	"WithView": func(m *pyshm.SharedMemory, f func() error) error {
		return pyshm.WithView(m, 8, m.Size()/8-1, func(v []uint64) error {
			err := f()
			v[len(v)-1] = ^uint64(0)
			return err
		})
	},
}

func TestScopedMemory(t *testing.T) {
	testkit.NeedLinux(t)
	boom := errors.New("boom")
	nothing := func() error { return nil }
	for what, write := range scopedWrites {
		m := create(t, 2*os.Getpagesize())
		if err := write(m, nothing); err != nil || m.Bytes()[m.Size()-1] == 0 {
			t.Errorf("%s: %v, the last byte is %d", what, err, m.Bytes()[m.Size()-1])
		}
		if err := write(m, func() error { return boom }); err != boom {
			t.Errorf("%s: %v", what, err)
		}
		if err := write(m, m.Close); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s, closed meanwhile: %v", what, err)
		}
		called := false
		if err := write(m, func() error { called = true; return nil }); !errors.Is(err, fs.ErrClosed) || called {
			t.Errorf("%s, closed: %v, called: %v", what, err, called)
		}
		readOnly := attach(t, m.Name(), pyshm.ReadOnly())
		if err := write(readOnly, nothing); !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("%s, read-only: %v", what, err)
		}
		if !testkit.HasFaultAddress(t) {
			continue
		}
		cut := attach(t, m.Name())
		err := write(cut, func() error { return os.Truncate(pathOf(m.Name()), 0) })
		if !errors.Is(err, pyshm.ErrFault) || !strings.Contains(err.Error(), m.Name()) {
			t.Errorf("%s, truncated: %v", what, err)
		}
	}
}
