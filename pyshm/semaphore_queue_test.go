package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// cancelBound is how late a cancelled Acquire may return on a busy machine. It
// takes microseconds; a benchmark measures them.
const cancelBound = 2 * time.Second

func TestAcquireCanceled(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	s := attachStranger(t, l.Name())
	noError(t, l.Acquire(t.Context()))

	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() { got <- l.Acquire(ctx) }()
	wantState(t, l, 0, 1)
	began := time.Now()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) || time.Since(began) > cancelBound {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	wantState(t, l, 0, 0)

	began = time.Now()
	if err := l.Acquire(within(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) ||
		time.Since(began) < 50*time.Millisecond || time.Since(began) > 50*time.Millisecond+cancelBound {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	wantState(t, l, 0, 0)

	// Others can acquire the released lock.
	noError(t, l.Release())
	if !s.acquire(time.Second) {
		t.Error("the token is lost")
	}
	s.release()
}

// If its context is done, Acquire looks once, however the context ended. So it acquires
// a lock that no process holds. Likewise Wait returns nil for a set event.
func TestAcquireLooksOnce(t *testing.T) {
	testkit.NeedLinux(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{canceled, within(t, 0)} {
		s := createSemaphore(t, 1)
		noError(t, s.Acquire(ctx))
		if err := s.Acquire(ctx); !errors.Is(err, ctx.Err()) {
			t.Errorf("without a token: %v instead of %v", err, ctx.Err())
		}
		wantState(t, s, 0, 0)

		noError(t, createLock(t).Acquire(ctx))
		e := createEvent(t)
		noError(t, e.Set(t.Context()))
		noError(t, e.Wait(ctx))
	}
}

// Waiters that give up at any moment neither take nor lose tokens, and leave
// the count of waiters right.
func TestCancelLosesNothing(t *testing.T) {
	testkit.NeedLinux(t)
	const tokens = 2
	s := createSemaphore(t, tokens)
	strange := attachStranger(t, s.Name())
	end := time.Now().Add(soak.Length(500*time.Millisecond, 20*time.Second))
	var all sync.WaitGroup
	var held, taken, canceled atomic.Int64
	latest := time.Now().Add(testkit.Patience)
	more := func() bool { // on a busy machine either outcome may be late
		now := time.Now()
		return now.Before(end) || now.Before(latest) && (taken.Load() == 0 || canceled.Load() == 0)
	}
	hold := func() {
		if n := held.Add(1); n > tokens {
			t.Errorf("%d tokens", n)
		}
		for range rand.IntN(100) {
			held.Load()
		}
		held.Add(-1)
	}
	for range 6 {
		all.Go(func() {
			for more() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
				err := s.Acquire(ctx)
				cancel()
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					canceled.Add(1)
					continue
				}
				taken.Add(1)
				hold()
				if err := s.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for more() {
				if !strange.acquire(20 * time.Second) {
					t.Error("no process has woken a waiter, which waits without an end")
					return
				}
				hold()
				strange.release()
			}
		})
	}
	all.Wait()
	wantState(t, s, tokens, 0)
	t.Logf("taken %d times, given up %d times", taken.Load(), canceled.Load())
	if taken.Load() == 0 || canceled.Load() == 0 {
		t.Error("one of the two has not been tested")
	}
}

// A thousand waiting goroutines occupy one thread and count once, whatever handles they
// use. All of them get their turn.
func TestManyWaiters(t *testing.T) {
	testkit.NeedLinux(t)
	const waiters = 1000
	l := createLock(t)
	handles := []*pyshm.Lock{l, attachLock(t, l.Name()), attachLock(t, l.Name())}
	noError(t, l.Acquire(t.Context()))
	before := threadCount()
	var all, started sync.WaitGroup
	for i := range waiters {
		started.Add(1)
		all.Go(func() {
			started.Done()
			if err := handles[i%len(handles)].Acquire(within(t, time.Minute)); err != nil {
				t.Error(err)
				return
			}
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	wantState(t, l, 0, 1)
	time.Sleep(50 * time.Millisecond)
	wantState(t, l, 0, 1)
	if added := threadCount() - before; added > 10 {
		t.Errorf("%d goroutines that wait have added %d threads", waiters, added)
	}
	noError(t, l.Release())
	all.Wait()
	wantState(t, l, 1, 0)
}

// threadCount returns how many threads this process has.
func threadCount() int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	return len(tasks)
}

// Goroutines that acquire and release without a pause leave the lock to waiters, in
// this process and in others.
func TestNobodyStarves(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	s := attachStranger(t, l.Name())
	var stop atomic.Bool
	var greedy, all sync.WaitGroup
	for range 2 {
		greedy.Go(func() {
			for !stop.Load() {
				noError(t, l.Acquire(t.Context()))
				noError(t, l.Release())
			}
		})
	}
	for range 20 {
		all.Go(func() {
			for range 10 {
				noError(t, l.Acquire(within(t, 20*time.Second)))
				time.Sleep(10 * time.Microsecond)
				noError(t, l.Release())
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	all.Go(func() {
		for range 100 {
			if !s.acquire(20 * time.Second) {
				t.Error("the stranger starves")
				return
			}
			s.release()
		}
	})
	all.Wait()
	stop.Store(true)
	greedy.Wait()
	wantState(t, l, 1, 0)
}

// Close ends the waiting through its own handle, and no other.
func TestCloseWakesWaiters(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	closing := attachLock(t, l.Name())
	noError(t, l.Acquire(t.Context()))
	got := make(chan error)
	for range 10 {
		go func() { got <- closing.Acquire(context.Background()) }()
	}
	wantState(t, l, 0, 1)
	staying := make(chan error)
	go func() { staying <- l.Acquire(within(t, 20*time.Second)) }()

	began := time.Now()
	noError(t, closing.Close())
	for range 10 {
		if err := <-got; !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > cancelBound {
		t.Errorf("Close took %v", took)
	}
	wantState(t, l, 0, 1) // the other goroutine leads now
	noError(t, l.Release())
	noError(t, <-staying)
	wantState(t, l, 0, 0)
}

// A token that was put back at the moment of Close reaches a waiter. The caller of
// Release need not, and could not, do more.
func TestCloseDuringRelease(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	s := attachStranger(t, l.Name())
	released, rounds := 0, soak.Length(200, 50_000)
	for range rounds {
		closing := attachLock(t, l.Name())
		noError(t, closing.Acquire(t.Context()))
		got := make(chan bool)
		go func() { got <- s.acquire(20 * time.Second) }()
		wantState(t, l, 0, 1)
		var begin atomic.Bool
		done := make(chan error)
		go func() {
			for !begin.Load() {
			}
			done <- closing.Release()
		}()
		time.Sleep(50 * time.Microsecond)
		begin.Store(true)
		for range rand.IntN(2000) {
			begin.Load()
		}
		noError(t, closing.Close())
		if err := <-done; err == nil {
			released++
		} else if errors.Is(err, fs.ErrClosed) {
			s.release() // Release has not done this
		} else {
			t.Fatal(err)
		}
		if !<-got {
			t.Fatal("there is a token, and a waiter that was not woken")
		}
		s.release()
		wantState(t, l, 1, 0)
	}
	t.Logf("%d of %d released before they were closed", released, rounds)
}

// A truncated semaphore is an error for every goroutine: for new ones, and for
// waiters, which no wake can reach any more.
func TestTruncatedLock(t *testing.T) {
	t.Parallel()
	truncateLock(t)
}

func truncateLock(t *testing.T) {
	testkit.NeedFaultAddress(t)
	testkit.NeedLinux(t)
	l := createLock(t)
	other := attachLock(t, l.Name())
	noError(t, l.Acquire(t.Context()))
	got := make(chan error)
	for range 3 {
		go func() { got <- l.Acquire(t.Context()) }()
	}
	go func() { got <- other.Acquire(within(t, 100*time.Millisecond)) }()
	wantState(t, l, 0, 1)
	noError(t, os.Truncate(pathOf("sem."+l.Name()), 0))
	for range 4 {
		if err := <-got; !errors.Is(err, pyshm.ErrFault) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	_, try := l.TryAcquire()
	_, value := l.Value()
	_, waiters := l.Waiters()
	for op, err := range map[string]error{
		"acquire": l.Acquire(t.Context()), "try": try, "release": l.Release(), "reset": l.Reset(),
		"value": value, "waiters": waiters,
	} {
		var e *pyshm.Error
		if !errors.Is(err, pyshm.ErrFault) || !errors.As(err, &e) || e.Name != l.Name() {
			t.Errorf("%s: %v", op, err)
		}
	}
	noError(t, l.Close())
}

// Absurd counts are no negative numbers, in an int of 32 bits either.
func TestAbsurdCounts(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	file := pathOf("sem." + l.Name())
	content, err := os.ReadFile(file)
	noError(t, err)
	for i := range content {
		if is32 := len(content) == 16; i < 8 && !is32 || is32 && (i < 4 || i >= 12) { // the value and the waiters
			content[i] = 0xff
		}
	}
	noError(t, os.WriteFile(file, content, 0))
	value, errValue := l.Value()
	waiters, errWaiters := l.Waiters()
	if value < 1<<30 || waiters < 1<<30 || errValue != nil || errWaiters != nil {
		t.Errorf("value %d, %v; %d waiters, %v", value, errValue, waiters, errWaiters)
	}
	if c, err := segment(t, "sem."+l.Name()).Inspect(); c.Value < 1<<30 || c.Waiters < 1<<30 || err != nil {
		t.Errorf("Inspect: %+v, %v", c, err)
	}
}

// Another process stores arbitrary words all the time. No goroutine waits beyond the
// end of its context, and nothing crashes.
func TestHostileSemaphore(t *testing.T) {
	testkit.NeedLinux(t)
	l := createLock(t)
	stop := corrupt(t, "sem."+l.Name())
	end := time.Now().Add(soak.Length(500*time.Millisecond, 20*time.Second))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for time.Now().Before(end) {
				patience := time.Duration(rand.IntN(3000)) * time.Microsecond
				began := time.Now()
				if err := l.Acquire(within(t, patience)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if late := time.Since(began) - patience; late > cancelBound {
					t.Errorf("%v late", late)
				}
				if err := l.Release(); err != nil && !errors.Is(err, pyshm.ErrNotAcquired) {
					t.Error(err)
				}
				if _, err := l.TryAcquire(); err != nil {
					t.Error(err)
				}
				if err := l.Reset(); err != nil && !errors.Is(err, fs.ErrInvalid) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	stop()
}

// corrupt writes to semaphores all the time, mostly values that make a difference.
func corrupt(t *testing.T, names ...string) (stop func()) {
	t.Helper()
	random := rand.New(rand.NewPCG(soak.Seed(t), 0))
	var files []*pyshm.SharedMemory
	for _, name := range names {
		files = append(files, attach(t, name))
	}
	var stopped atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for !stopped.Load() {
			word := []byte{0, 0, 0, 0}
			word[random.IntN(4)] = byte(random.Uint32() >> random.IntN(9))
			if _, err := files[random.IntN(len(files))].WriteAt(word, 4*random.Int64N(4)); err != nil {
				t.Error(err)
			}
		}
	})
	return func() {
		stopped.Store(true)
		writer.Wait()
	}
}
