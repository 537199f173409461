//go:build !posixshm

package pyshm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func createValue[T any](t testing.TB) *pyshm.Value[T] {
	t.Helper()
	return keep[*pyshm.Value[T]](t)(pyshm.CreateValue[T](testkit.Name(t)))
}

func TestValue(t *testing.T) {
	ctx := t.Context()
	v := createValue[int64](t)
	if got, want := v.String(), fmt.Sprintf("Value('%s', dtype='<i8')", v.Name()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	other, err := pyshm.AttachValue[int64](v.Name())
	testkit.Check(t, err)
	defer other.Close()
	var adding sync.WaitGroup
	for _, handle := range []*pyshm.Value[int64]{v, other, v} {
		adding.Go(func() {
			for range 200 {
				if err := handle.Update(ctx, func(n *int64) error { *n++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	adding.Wait()
	wantValue(t, v, 600)
	testkit.Check(t, v.Store(ctx, -1))
	wantValue(t, other, -1)

	failed := errors.New("no")
	if err := v.Update(ctx, func(n *int64) error { *n = 7; return failed }); err != failed {
		t.Errorf("the function's error is %v", err)
	}
	func() {
		defer func() { recover() }()
		v.Update(ctx, func(n *int64) error { *n = 8; panic("no") })
	}()
	wantValue(t, v, -1)

	testkit.Check(t, other.Lock().With(ctx, func() error {
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, loadErr := v.Load(short)
		for op, err := range map[string]error{"load": loadErr, "store": v.Store(short, 1), "update": v.Update(short, nil)} {
			var e *pyshm.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Op != op || e.Name != v.Name() {
				t.Errorf("%s while the lock is held: %v", op, err)
			}
		}
		return v.Array().Set(5)
	}))
	wantValue(t, v, 5)
	if current, err := v.Current(); !current || err != nil {
		t.Errorf("current: %t, %v", current, err)
	}
}

func wantValue[T comparable](t testing.TB, v *pyshm.Value[T], want T) {
	t.Helper()
	if got, err := v.Load(t.Context()); got != want || err != nil {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// Close waits for an Update. A call that comes meanwhile need not wait for both.
func TestCallDuringClose(t *testing.T) {
	v := createValue[int64](t)
	updating, release := make(chan struct{}), make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		testkit.Check(t, v.Update(t.Context(), func(*int64) error {
			close(updating)
			<-release
			return nil
		}))
	})
	<-updating
	others.Go(func() { testkit.Check(t, v.Close()) })
	refused := make(chan struct{})
	others.Go(func() {
		defer close(refused)
		for _, err := v.Load(now(t)); !errors.Is(err, fs.ErrClosed); _, err = v.Load(now(t)) {
			time.Sleep(time.Millisecond)
		}
	})
	select {
	case <-refused:
	case <-time.After(testkit.Patience):
		t.Error("Load waits for the Close")
	}
	close(release)
	others.Wait()
}

// Each name is made or none, and a failure leaves the names of others.
func TestValueNames(t *testing.T) {
	name := testkit.Name(t)
	testkit.RemoveAfter(t, name)
	testkit.Check(t, os.WriteFile(testkit.Path(name), []byte("others"), 0o600))
	if _, err := pyshm.CreateValue[int8](name); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the name is in use: %v", err)
	}
	if _, err := os.Stat(testkit.Path("sem." + name + ".lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a failed create has left its lock: %v", err)
	}
	if _, err := pyshm.AttachValue[int8](name); !errors.Is(err, npy.ErrHeader) {
		t.Errorf("no value: %v", err)
	}
	if _, err := pyshm.CreateValue[int8](""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	if _, err := pyshm.CreateValue[string](name + "s"); !errors.Is(err, npy.ErrDtype) {
		t.Errorf("a string: %v", err)
	}

	array := keep[*pyshm.Array[int8]](t)(pyshm.CreateArray[int8](testkit.Name(t), nil))
	_, err := pyshm.AttachValue[int8](array.Name())
	var missing *pyshm.Error
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &missing) || missing.Name != array.Name()+".lock" {
		t.Errorf("an array without a lock: %v", err)
	}
	if _, err := pyshm.AttachValue[int16](array.Name()); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("another type: %v", err)
	}
	several := keep[*pyshm.Array[int8]](t)(pyshm.CreateArray[int8](testkit.Name(t), []int{2}))
	if _, err := pyshm.AttachValue[int8](several.Name()); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("several elements: %v", err)
	}

	opened := keep[*pyshm.Value[int8]](t)(pyshm.OpenValue[int8](testkit.Name(t) + "*"))
	again, err := pyshm.OpenValue[int8](opened.Name())
	testkit.Check(t, err)
	defer again.Close()
	testkit.Check(t, again.Store(t.Context(), 3))
	wantValue(t, opened, 3)
	made := keep[*pyshm.Value[int8]](t)(pyshm.CreateValue[int8](testkit.Name(t) + "*"))
	if n := len(made.Name()) - len(testkit.Name(t)); n != 8 {
		t.Errorf("the star became %d digits", n)
	}
}

// Close interrupts what waits for the lock, and waits for what has it.
func TestValueClose(t *testing.T) {
	v := createValue[int32](t)
	other, err := pyshm.AttachValue[int32](v.Name())
	testkit.Check(t, err)
	began, goOn, updated := make(chan bool), make(chan bool), make(chan error, 1)
	go func() {
		updated <- other.Update(t.Context(), func(n *int32) error {
			close(began)
			<-goOn
			*n = 9
			return nil
		})
	}()
	<-began
	waiting := make(chan error, 1)
	go func() {
		_, err := other.Load(context.Background())
		waiting <- err
	}()
	testkit.Eventually(t, "Load waits", func() bool {
		n, err := v.Lock().Waiters()
		return n == 1 && err == nil
	})
	closed := make(chan error, 1)
	go func() { closed <- other.Close() }()
	if err := <-waiting; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Load = %v", err)
	}
	close(goOn)
	testkit.Check(t, <-updated)
	testkit.Check(t, <-closed)
	wantValue(t, v, 9) // the lock is free
	for _, v := range []*pyshm.Value[int32]{other, {}} {
		_, load := v.Load(t.Context())
		_, current := v.Current()
		for what, err := range map[string]error{
			"Load": load, "Store": v.Store(t.Context(), 1), "Update": v.Update(t.Context(), nil), "Current": current,
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		testkit.Check(t, v.Close())
	}
	if name := new(pyshm.Value[int32]).Name(); name != "" {
		t.Errorf("the zero value has the name %q", name)
	}
}

// nameless returns the parts of a file that has no name, and the file, as Python has it.
func nameless(t testing.TB, content []byte) (pyshm.MemoryParts, *os.File) {
	t.Helper()
	f, err := os.CreateTemp("/dev/shm", testkit.Prefix)
	testkit.Check(t, err)
	t.Cleanup(func() { f.Close() })
	testkit.Check(t, os.Remove(f.Name()))
	_, err = f.Write(content)
	testkit.Check(t, err)
	var st syscall.Stat_t
	testkit.Check(t, syscall.Fstat(int(f.Fd()), &st))
	return pyshm.MemoryParts{PID: os.Getpid(), FD: int(f.Fd()), Device: uint64(st.Dev), Inode: st.Ino}, f
}

func TestParts(t *testing.T) {
	memory, f := nameless(t, make([]byte, 4096))
	memory.Offset, memory.Size = 16, 8
	for _, pid := range []int{os.Getpid(), 0} {
		memory.PID = pid
		a, err := pyshm.AttachArrayParts[int32](pyshm.ValueParts{MemoryParts: memory, Dtype: "=i4", Shape: []int{2}})
		testkit.Check(t, err)
		testkit.Check(t, a.Set(int32(pid), 1))
		var b [4]byte
		_, err = f.ReadAt(b[:], 20)
		testkit.Check(t, err)
		if got := int32(binary.NativeEndian.Uint32(b[:])); got != int32(pid) {
			t.Errorf("%d in the file, want %d", got, pid)
		}
		wantNameless(t, a)
		testkit.Check(t, a.Close())
	}
	readOnly, err := pyshm.AttachArrayParts[int32](pyshm.ValueParts{MemoryParts: memory, Dtype: "=i4", Shape: []int{2}}, pyshm.ReadOnly())
	testkit.Check(t, err)
	defer readOnly.Close()
	if err := readOnly.Set(1, 0); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("set read-only: %v", err)
	}

	lock := createLock(t)
	v, err := pyshm.AttachValueParts[[2]int32](pyshm.ValueParts{MemoryParts: memory, Lock: lock.Name()})
	testkit.Check(t, err)
	defer v.Close()
	if v.Name() != lock.Name() {
		t.Errorf("the name is %q, want the lock's", v.Name())
	}
	if err := v.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlink: %v", err)
	}
	if current, err := v.Current(); !current || err != nil {
		t.Errorf("current: %t, %v", current, err)
	}
	if !testkit.HasFaultAddress(t) {
		return
	}
	testkit.Check(t, f.Truncate(0))
	if _, err := v.Load(t.Context()); !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("truncated: %v", err)
	}
	if taken, err := lock.TryAcquire(); !taken || err != nil {
		t.Errorf("the lock after a fault: %t, %v", taken, err)
	}
}

// wantNameless fails unless the methods that need a name return errors.
func wantNameless(t testing.TB, a *pyshm.Array[int32]) {
	t.Helper()
	if current, err := a.Current(); current || err != nil || a.Name() != "" {
		t.Errorf("name %q, current: %t, %v", a.Name(), current, err)
	}
	if err := a.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlink: %v", err)
	}
	if _, err := a.SharedMemory().Alias(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("alias: %v", err)
	}
}

func TestPartsRefused(t *testing.T) {
	memory, _ := nameless(t, make([]byte, 64))
	memory.Size = 8
	fifo := filepath.Join(t.TempDir(), "fifo")
	testkit.Check(t, syscall.Mkfifo(fifo, 0o600))
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	testkit.Check(t, err)
	defer pipe.Close()
	sockets, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	testkit.Check(t, err)
	defer syscall.Close(sockets[1])
	defer syscall.Close(sockets[0])
	empty, _ := nameless(t, nil)
	null, err := os.Open(os.DevNull)
	testkit.Check(t, err)
	defer null.Close()
	for what, tc := range map[string]struct {
		change func(p *pyshm.ValueParts)
		want   error
	}{
		"no process":           {func(p *pyshm.ValueParts) { p.PID = math.MaxInt32 }, fs.ErrNotExist},
		"a negative process":   {func(p *pyshm.ValueParts) { p.PID = -1 }, fs.ErrInvalid},
		"no descriptor":        {func(p *pyshm.ValueParts) { p.FD = 1 << 20 }, fs.ErrNotExist},
		"nothing inherited":    {func(p *pyshm.ValueParts) { p.PID, p.FD = 0, 1<<20 }, fs.ErrNotExist},
		"an inherited FIFO":    {func(p *pyshm.ValueParts) { p.PID, p.FD, p.Inode = 0, int(pipe.Fd()), 0 }, fs.ErrInvalid},
		"a negative one":       {func(p *pyshm.ValueParts) { p.FD = -1 }, fs.ErrInvalid},
		"another file":         {func(p *pyshm.ValueParts) { p.Inode++ }, fs.ErrNotExist},
		"another device":       {func(p *pyshm.ValueParts) { p.Device++ }, fs.ErrNotExist},
		"a socket":             {func(p *pyshm.ValueParts) { p.FD, p.Inode = sockets[0], 0 }, fs.ErrInvalid},
		"a FIFO":               {func(p *pyshm.ValueParts) { p.FD, p.Inode = int(pipe.Fd()), 0 }, fs.ErrInvalid},
		"a device file":        {func(p *pyshm.ValueParts) { p.FD, p.Inode = int(null.Fd()), 0 }, fs.ErrInvalid},
		"an empty file":        {func(p *pyshm.ValueParts) { p.FD, p.Inode = empty.FD, 0 }, format.ErrIncomplete},
		"behind the end":       {func(p *pyshm.ValueParts) { p.Offset = 64 }, fs.ErrInvalid},
		"a negative offset":    {func(p *pyshm.ValueParts) { p.Offset = -8 }, fs.ErrInvalid},
		"an offset out of int": {func(p *pyshm.ValueParts) { p.Offset = math.MaxInt }, fs.ErrInvalid},
		"another size":         {func(p *pyshm.ValueParts) { p.Size = 4 }, npy.ErrMismatch},
		"another type":         {func(p *pyshm.ValueParts) { p.Dtype = "<i4" }, npy.ErrMismatch},
		"no type":              {func(p *pyshm.ValueParts) { p.Dtype = "nonsense" }, npy.ErrDtype},
		"a huge shape":         {func(p *pyshm.ValueParts) { p.Shape = []int{math.MaxInt, math.MaxInt} }, npy.ErrShape},
		"a negative shape":     {func(p *pyshm.ValueParts) { p.Shape = []int{-1} }, npy.ErrShape},
	} {
		t.Run(what, func(t *testing.T) {
			parts := pyshm.ValueParts{MemoryParts: memory, Dtype: "<f8"}
			tc.change(&parts)
			var e *pyshm.Error
			if _, err := pyshm.AttachArrayParts[float64](parts); !errors.Is(err, tc.want) || !errors.As(err, &e) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}
