//go:build unix

package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestCloseUnlinkUse lets several goroutines use, close, unlink and replace the
// same handles, in any order. Every call returns a result or an error for being too
// late, and reads only memory of the segment.
func TestCloseUnlinkUse(t *testing.T) {
	seed := soak.Seed(t)
	first := newUser(t, seed, -1)
	contests := []contest{
		newContested(first, createUsedList, pyshm.AttachList, (*user).use),
		newContested(first, createUsedList, pyshm.AttachList, (*user).use),
		newContested(first, createUsedBlock, pyshm.Attach, (*user).useBlock),
		newContested(first, createUsedBlock, pyshm.Attach, (*user).useBlock),
	}
	end := time.Now().Add(soak.Length(500*time.Millisecond, time.Minute))
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for time.Now().Before(end) { // cleanups unmap segments without a handle
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
	})
	tally := useUntil(t, end, seed, 6, append(refusals, fs.ErrClosed), func(u *user) {
		contests[u.r.IntN(len(contests))].step(u)
	})
	collecting.Wait()
	for _, c := range contests {
		c.finish()
	}
	t.Log(tally)
}

func createUsedList(u *user) (*pyshm.ShareableList, error) {
	return pyshm.CreateList(testkit.Name(u.t), usedValues(u.r, 4))
}

func createUsedBlock(u *user) (*pyshm.SharedMemory, error) {
	m, err := pyshm.Create(testkit.Name(u.t), 3*4096)
	if err == nil {
		_, err = m.WriteAt(wordBytes(u.r, m.Size()/8), 0)
	}
	return m, err
}

// useBlock calls a method of a block full of words.
func (u *user) useBlock(m *pyshm.SharedMemory) {
	n := 8 * (1 + u.r.IntN(300))
	at := 8 * u.r.IntN((m.Size()-n)/8)
	read := make([]byte, n)
	err := error(nil)
	method := "Alias"
	switch u.r.IntN(5) {
	case 0:
		method = "ReadAt"
		_, err = m.ReadAt(read, int64(at))
	case 1:
		method = "WriteAt"
		_, err = m.WriteAt(wordBytes(u.r, n/8), int64(at))
	case 2:
		method = "Bytes"
		memory := m.Bytes()
		err = m.Guard(func() error {
			copy(read, memory[at:])
			return nil
		})
	case 3:
		method = "View"
		var view []byte
		if view, err = pyshm.View[byte](m, at, n); err == nil {
			err = m.Guard(func() error {
				copy(read, view)
				return nil
			})
		}
	case 4:
		var alias string
		if alias, err = m.Alias(); err == nil {
			err = pyshm.Unlink(alias)
		} else if errors.Is(err, fs.ErrNotExist) { // unlinked
			err = nil
		}
	}
	u.count(method, err)
	if err == nil {
		u.got(method, read)
	}
}

// A contest has a handle that several goroutines use, close and replace.
type contest interface {
	step(u *user)
	finish()
}

type contested[T any] struct {
	handle atomic.Pointer[T]
	create func(u *user) (*T, error)
	attach func(name string, opts ...pyshm.AttachOption) (*T, error)
	use    func(u *user, h *T)
}

// newContested makes a contest with a first handle.
func newContested[T any](u *user, create func(u *user) (*T, error),
	attach func(name string, opts ...pyshm.AttachOption) (*T, error), use func(u *user, h *T)) contest {
	c := &contested[T]{create: create, attach: attach, use: use}
	h, err := create(u)
	if err != nil {
		u.t.Fatal(err)
	}
	c.handle.Store(h)
	return c
}

func (c *contested[T]) step(u *user) {
	h := c.handle.Load()
	m := any(h).(shared)
	switch n := u.r.IntN(100); {
	case n < 95:
		c.use(u, h)
	case n < 97:
		u.count("Close", m.Close())
	case n < 99:
		u.results["closed"]++
		u.count("Close", m.Close())
		other, err := c.attach(m.Name())
		c.replace(u, h, other, err)
	default:
		u.results["unlinked"]++
		if err := m.Unlink(); !errors.Is(err, fs.ErrNotExist) {
			u.count("Unlink", err)
		}
		other, err := c.create(u)
		if !c.replace(u, h, other, err) {
			any(other).(shared).Unlink()
		}
	}
}

// replace makes another handle the contested one instead of h. If h is not the
// contested handle any more, replace closes the other handle and returns false.
func (c *contested[T]) replace(u *user, h, other *T, err error) bool {
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // unlinked, nothing to attach to
			u.count("open", err)
		}
		return true
	}
	if c.handle.CompareAndSwap(h, other) {
		u.count("Close", any(h).(shared).Close()) // other goroutines still use it
		return true
	}
	any(other).(shared).Close()
	return false
}

func (c *contested[T]) finish() {
	m := any(c.handle.Load()).(shared)
	m.Close()
	m.Unlink()
}

// TestKeptSlices keeps slices past Close, past the handle and past garbage
// collections, while the process maps much other memory. The slices fault, wherever
// they are touched, and never show other memory.
func TestKeptSlices(t *testing.T) {
	seed := soak.Seed(t)
	l := createList(t, slices.Repeat([]any{int64(1)}, 2000))
	m := l.SharedMemory()
	rounds, faults := soak.Length(20, 2000), 0
	var kept [][]byte
	for round := range rounds {
		kept = append(kept, closedSlices(t, l.Name())...)
		runtime.GC()
		disturbing := mapMuch(t, m.Name())
		r := soak.Rand(seed, round)
		for range 20 {
			slice := kept[r.IntN(len(kept))]
			at := &slice[r.IntN(len(slice))]
			if !faultsAt(at, r.IntN(2) == 0) {
				t.Fatalf("round %d: a slice of a closed segment can be touched", round)
			}
			faults++
		}
		for _, b := range disturbing {
			if err := syscall.Munmap(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d slices kept, touched %d times, faulted each time", len(kept), faults)
}

// closedSlices returns all kinds of slices of a list of ints. Their handles are closed
// and unreachable.
func closedSlices(t *testing.T, name string) (slices [][]byte) {
	for i := range 3 {
		l, err := pyshm.AttachList(name)
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			slices = append(slices, l.SharedMemory().Bytes())
		case 1:
			view, err := pyshm.View[byte](l.SharedMemory(), 4096, 4096)
			if err != nil {
				t.Fatal(err)
			}
			slices = append(slices, view)
		case 2:
			ints, err := l.ViewInts()
			if err != nil {
				t.Fatal(err)
			}
			slices = append(slices, unsafe.Slice((*byte)(unsafe.Pointer(&ints[0])), 8*len(ints)))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return slices
}

// mapMuch maps memory of all sorts, at free addresses, and returns the memory that the
// caller has to unmap.
func mapMuch(t *testing.T, name string) (mapped [][]byte) {
	for range 10 {
		b, err := syscall.Mmap(-1, 0, 16<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		mapped = append(mapped, b)
		other, err := pyshm.Attach(name)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
	}
	return mapped
}

// faultsAt reports whether reading or writing a byte faults, at its address.
func faultsAt(p *byte, write bool) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			faulted = r.Addr()^uintptr(unsafe.Pointer(p)) < uintptr(os.Getpagesize()) // s390x reports the page alone
		default:
			panic(r)
		}
	}()
	if write {
		*p = 1
	} else {
		touched = *p
	}
	return false
}

var touched byte // for faultsAt to read into
