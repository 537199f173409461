//go:build darwin || pyshm_posix

package pyshm_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests run the semaphores of macOS: on Linux over glibc's.

// shortName returns a name that leaves room for ".sleeping".
func shortName() string { return testkit.Prefix + rand.Text()[:4] }

func past(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestNamedLock(t *testing.T) {
	l := keep[*pyshm.Lock](t)(pyshm.CreateLock(shortName()))
	_, err := pyshm.CreateLock(l.Name())
	wantIs(t, "a second one", err, fs.ErrExist)
	other := attachLock(t, "/"+l.Name())
	noError(t, other.Acquire(past(t)))
	if taken, err := l.TryAcquire(); taken || err != nil {
		t.Errorf("a held lock: %v, %v", taken, err)
	}
	wantIs(t, "a held lock", l.Acquire(past(t)), context.Canceled)
	noError(t, l.Release())
	wantIs(t, "release of a free lock", l.Release(), pyshm.ErrNotAcquired)
	wantIs(t, "reset of a free lock", l.Reset(), fs.ErrInvalid)
	noError(t, l.Acquire(t.Context()))
	noError(t, other.Reset())
	noError(t, l.With(t.Context(), func() error { return nil }))
	for what, f := range map[string]func() error{
		"value":   func() error { _, err := l.Value(); return err },
		"waiters": func() error { _, err := l.Waiters(); return err },
		"current": func() error { _, err := l.Current(); return err },
	} {
		wantIs(t, what, f(), errors.ErrUnsupported)
	}
	noError(t, l.Unlink())
	wantIs(t, "unlink again", l.Unlink(), fs.ErrNotExist)
	_, err = pyshm.AttachLock(l.Name())
	wantIs(t, "attach to an unlinked one", err, fs.ErrNotExist)
	noError(t, other.Acquire(t.Context())) // it is still there
	wantIs(t, "the same lock", l.Acquire(past(t)), context.Canceled)
	for range 2 {
		noError(t, other.Close())
	}
	wantIs(t, "closed", other.Release(), fs.ErrClosed)
	wantIs(t, "zero value", new(pyshm.Lock).Acquire(t.Context()), fs.ErrClosed)
}

func wantIs(t testing.TB, what string, err, reason error) {
	t.Helper()
	var mine *pyshm.Error
	if !errors.Is(err, reason) || (err != reason && !errors.As(err, &mine)) {
		t.Errorf("%s: %v, want %v", what, err, reason)
	}
}

func TestNamedSemaphoreRefuses(t *testing.T) {
	name := shortName()
	for what, f := range map[string]func() error{
		"a bound":            func() error { return closed(pyshm.CreateBoundedSemaphore(name, 2)) },
		"a bound, attaching": func() error { return closed(pyshm.AttachBoundedSemaphore(name, 2)) },
		"replace":            func() error { return closed(pyshm.CreateSemaphore(name, 1, pyshm.Replace())) },
	} {
		wantIs(t, what, f(), errors.ErrUnsupported)
	}
	wantIs(t, "a long name", closed(pyshm.CreateLock(strings.Repeat("n", 30))), syscall.ENAMETOOLONG)
	wantIs(t, "a long name, attaching", closed(pyshm.AttachLock(strings.Repeat("n", 30))), syscall.ENAMETOOLONG)
	wantIs(t, "a high value", closed(pyshm.CreateSemaphore(name, 32768)), fs.ErrInvalid)
	wantIs(t, "the name of a file", closed(pyshm.AttachLock("sem."+name)), fs.ErrNotExist)
	wantIs(t, "a mode", closed(pyshm.CreateLock(name, pyshm.Mode(fs.ModeSetuid|0o600))), fs.ErrInvalid)
	s := keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(name, 32767))
	noError(t, pyshm.Unlink("sem."+s.Name()))
	wantIs(t, "unlinked", s.Unlink(), fs.ErrNotExist)
	highest := keep[*pyshm.Semaphore](t)(pyshm.CreateBoundedSemaphore(name, 1))
	wantIs(t, "release of a full one", highest.Release(), pyshm.ErrNotAcquired)
	// Python reports 32767 as the bound of a semaphore without one.
	unbounded, err := pyshm.AttachBoundedSemaphore(name, 32767)
	noError(t, err)
	noError(t, unbounded.Release())
	noError(t, unbounded.Close())
}

// TestNamedCancelLosesNothing counts the tokens after goroutines, through two handles, have
// waited for times around the time that others hold the semaphore.
func TestNamedCancelLosesNothing(t *testing.T) {
	const all = 2
	s := keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(shortName(), all))
	other, err := pyshm.AttachSemaphore(s.Name())
	noError(t, err)
	defer other.Close()
	var took, gaveUp atomic.Int64
	var group sync.WaitGroup
	for i := range 12 {
		handle := []*pyshm.Semaphore{s, other}[i%2]
		group.Go(func() {
			for n := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*53+n*17)%400)*time.Microsecond)
				err := handle.Acquire(ctx)
				cancel()
				if errors.Is(err, context.DeadlineExceeded) {
					gaveUp.Add(1)
					continue
				}
				took.Add(1)
				time.Sleep(time.Duration(n%5) * 30 * time.Microsecond)
				if err := errors.Join(err, handle.Release()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if took.Load() == 0 || gaveUp.Load() == 0 {
		t.Errorf("%d times taken, %d times given up", took.Load(), gaveUp.Load())
	}
	tokens := 0
	for taken := true; taken; tokens++ {
		taken, err = s.TryAcquire()
		noError(t, err)
	}
	if tokens-1 != all {
		t.Errorf("%d tokens, not %d", tokens-1, all)
	}
}

func TestNamedCloseEndsWaits(t *testing.T) {
	s := keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(shortName(), 0))
	other, err := pyshm.AttachSemaphore(s.Name())
	noError(t, err)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { wantIs(t, "a wait", other.Acquire(t.Context()), fs.ErrClosed) })
	}
	time.Sleep(5 * time.Millisecond)
	noError(t, other.Close())
	group.Wait()
	noError(t, s.Release())
	noError(t, s.Acquire(t.Context()))
}

func TestNamedCondition(t *testing.T) {
	c := keep[*pyshm.Condition](t)(pyshm.CreateCondition(shortName()))
	other, err := pyshm.AttachCondition(c.Name())
	noError(t, err)
	defer other.Close()
	wantIs(t, "notify without the lock", c.NotifyAll(t.Context()), pyshm.ErrNotAcquired)
	const waiters = 5
	ready := make(chan struct{}, waiters)
	woken := make(chan error, waiters)
	for range waiters {
		go func() {
			woken <- other.With(t.Context(), func() error {
				ready <- struct{}{}
				return other.Wait(t.Context())
			})
		}()
	}
	for range waiters {
		<-ready
	}
	ctx := testkit.Within(t, testkit.Patience)
	noError(t, c.With(ctx, func() error { return c.Notify(ctx, 2) })) // all wait by now
	for range 2 {
		noError(t, <-woken)
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	wantIs(t, "a wait that ends", c.With(ctx, func() error { return c.Wait(short) }), context.DeadlineExceeded)
	noError(t, c.With(ctx, func() error { return c.NotifyAll(ctx) }))
	for range waiters - 2 {
		noError(t, <-woken)
	}
	wantIs(t, "reset of a free one", c.Reset(), fs.ErrInvalid)
	noError(t, c.Acquire(ctx))
	noError(t, c.Reset())
	noError(t, c.With(ctx, func() error { return nil }))
}

func TestNamedEvent(t *testing.T) {
	ctx := testkit.Within(t, testkit.Patience)
	e := keep[*pyshm.Event](t)(pyshm.CreateEvent(shortName()))
	wantIs(t, "not set", e.Wait(past(t)), context.Canceled)
	waited := make(chan error, 3)
	for range 3 {
		go func() { waited <- e.Wait(ctx) }()
	}
	time.Sleep(5 * time.Millisecond)
	noError(t, e.Set(ctx))
	for range 3 {
		noError(t, <-waited)
	}
	noError(t, e.Wait(past(t)))
	// A look takes the flag for a moment, so that it needs the lock.
	lock := attachLock(t, e.Name()+".lock")
	noError(t, lock.With(ctx, func() error {
		wantIs(t, "set, but locked", e.Wait(past(t)), context.Canceled)
		return nil
	}))
	noError(t, e.Wait(past(t)))
	// Many look at the flag while others set and clear it: it stays 0 or 1.
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				short, cancel := context.WithTimeout(ctx, 100*time.Microsecond)
				_ = e.Wait(short)
				cancel()
				if err := e.Set(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	noError(t, e.Clear(ctx))
	if set, err := e.IsSet(ctx); set || err != nil {
		t.Errorf("after one Clear: %v, %v", set, err)
	}
	noError(t, e.Reset())
}

func TestNamedBarrier(t *testing.T) {
	const parties, rounds = 4, 20
	ctx := testkit.Within(t, testkit.Patience)
	b := keep[*pyshm.Barrier](t)(pyshm.CreateBarrier(shortName(), parties))
	var passed atomic.Int64
	var group sync.WaitGroup
	for range parties {
		group.Go(func() {
			for round := range int64(rounds) {
				passed.Add(1)
				if _, err := b.Wait(ctx); err != nil {
					t.Error(err)
					return
				}
				if n := passed.Load(); n < parties*(round+1) {
					t.Errorf("%d parties have come in round %d", n, round)
				}
			}
		})
	}
	group.Wait()
	wantIs(t, "alone", func() error { _, err := b.Wait(past(t)); return err }(), context.Canceled)
	noError(t, b.Reset(ctx))
}

func TestNamedValue(t *testing.T) {
	v := keep[*pyshm.Value[int64]](t)(pyshm.CreateValue[int64](shortName()))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				err := v.Update(t.Context(), func(n *int64) error {
					*n++
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n, err := v.Load(t.Context()); n != 200 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
