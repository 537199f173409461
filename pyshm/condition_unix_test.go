//go:build unix

package pyshm_test

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// counters are the semaphores of a condition or an event, as other processes see them.
type counters map[string]*pyshm.Semaphore

func countersOf(t testing.TB, name string, parts ...string) counters {
	t.Helper()
	c := counters{}
	for _, part := range append(parts, "lock", "sleeping", "woken", "wait") {
		s, err := pyshm.AttachSemaphore(name + "." + part)
		noError(t, err)
		t.Cleanup(func() { s.Close() })
		c[part] = s
	}
	return c
}

// wantCounts fails unless the counts become these, and no thread waits in the kernel.
func (c counters) wantCounts(t testing.TB, sleeping, woken, wait int) {
	t.Helper()
	wantState(t, c["sleeping"], sleeping, 0)
	wantState(t, c["woken"], woken, 0)
	wantState(t, c["wait"], wait, 0)
}

// waiters starts goroutines that wait for a notification, and returns when they
// all sleep. Each sends its error to the channel when it has the lock again, and
// releases the lock.
func waiters(t *testing.T, c *pyshm.Condition, n int, ctx context.Context) <-chan error {
	t.Helper()
	got := make(chan error, n)
	before, err := countersOf(t, c.Name())["sleeping"].Value()
	noError(t, err)
	for range n {
		go func() {
			if err := c.Acquire(ctx); err != nil {
				got <- err
				return
			}
			err := c.Wait(ctx)
			if releaseErr := c.Release(); releaseErr != nil && !errors.Is(err, fs.ErrClosed) {
				t.Error(releaseErr)
			}
			got <- err
		}()
	}
	counts := countersOf(t, c.Name())
	wantState(t, counts["sleeping"], before+n, 0)
	wantState(t, counts["wait"], 0, 1)
	return got
}

func TestConditionAcquireCanceled(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	noError(t, c.Acquire(t.Context()))
	got := make(chan error, 1)
	go func() { got <- c.Acquire(within(t, 10*time.Millisecond)) }()
	select {
	case err := <-got:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("waits on")
	}
}

// Notify takes back the notification of a waiter that has given up in the meantime.
func TestNotifyTakesBack(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, c.Acquire(t.Context()))
	noError(t, counts["sleeping"].Release())
	var givingUp sync.WaitGroup
	givingUp.Go(func() {
		wantState(t, counts["wait"], 1, 0)
		if err := counts["woken"].Release(); err != nil {
			t.Error(err)
		}
	})
	noError(t, c.Notify(t.Context(), 1))
	givingUp.Wait()
	counts.wantCounts(t, 0, 0, 0)
}

func TestCondition(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	other, err := pyshm.AttachCondition("/" + c.Name())
	noError(t, err)
	defer other.Close()
	if other.Name() != c.Name() {
		t.Errorf("name %q", other.Name())
	}
	here := waiters(t, c, 3, within(t, 20*time.Second))
	there := waiters(t, other, 3, within(t, 20*time.Second))

	noError(t, c.Acquire(t.Context()))
	noError(t, c.Notify(t.Context(), 2))
	wantState(t, counts["sleeping"], 4, 0)
	noError(t, c.Release())
	received := func(n int) {
		t.Helper()
		for range n {
			select {
			case err := <-here:
				noError(t, err)
			case err := <-there:
				noError(t, err)
			case <-time.After(20 * time.Second):
				t.Fatal("not notified")
			}
		}
	}
	received(2)
	select {
	case <-here:
		t.Error("notified one too many")
	case <-there:
		t.Error("notified one too many")
	case <-time.After(20 * time.Millisecond):
	}
	noError(t, other.Acquire(t.Context()))
	noError(t, other.NotifyAll(t.Context()))
	noError(t, other.Release())
	received(4)
	counts.wantCounts(t, 0, 0, 0)
	wantState(t, counts["lock"], 1, 0)
}

// A notification without a waiter is not kept for later.
func TestNotifyNobody(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, c.Acquire(t.Context()))
	for _, n := range []int{0, -1, 1, 1000} {
		noError(t, c.Notify(t.Context(), n))
	}
	noError(t, c.NotifyAll(t.Context()))
	counts.wantCounts(t, 0, 0, 0)
	if err := c.Wait(within(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	noError(t, c.Release())
}

// A waiter that gives up has the lock again, and the next notification counts it out.
func TestWaitCanceled(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	for range 2 {
		noError(t, c.Acquire(t.Context()))
		err := c.Wait(within(t, 10*time.Millisecond))
		var e *pyshm.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Op != "wait" || e.Name != c.Name() {
			t.Error(err)
		}
		wantState(t, counts["lock"], 0, 0)
		noError(t, c.Release())
	}
	counts.wantCounts(t, 2, 2, 0)
	got := waiters(t, c, 1, within(t, 20*time.Second))
	noError(t, c.Acquire(t.Context()))
	noError(t, c.Notify(t.Context(), 1))
	counts.wantCounts(t, 0, 0, 0)
	noError(t, c.Release())
	noError(t, <-got)
}

// Wait returns with the lock, also when ctx is done before the lock is free.
func TestWaitReturnsWithLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	lock := attachLock(t, c.Name()+".lock")
	ctx, cancel := context.WithCancel(t.Context())
	got := waiters(t, c, 1, ctx)
	noError(t, lock.Acquire(t.Context()))
	cancel()
	select {
	case err := <-got:
		t.Errorf("returned without the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	noError(t, lock.Release())
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantState(t, lock, 1, 0)
}

func TestConditionNeedsLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	for op, err := range map[string]error{
		"wait": c.Wait(t.Context()), "notify": c.Notify(t.Context(), 1), "notify all": c.NotifyAll(t.Context()), "release": c.Release(),
	} {
		if !errors.Is(err, pyshm.ErrNotAcquired) {
			t.Errorf("%s without the lock: %v", op, err)
		}
	}
	if err := c.Reset(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("reset without the lock: %v", err)
	}
	countersOf(t, c.Name()).wantCounts(t, 0, 0, 0)
}

// Goroutines wait, give up and notify at any time. All of them return, and the counts
// end at 0.
func TestConditionUnderLoad(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	other, err := pyshm.AttachCondition(c.Name())
	noError(t, err)
	defer other.Close()
	queued, taken := 0, 0
	var all sync.WaitGroup
	const items, consumers = 2000, 6
	for i := range consumers {
		c := []*pyshm.Condition{c, other}[i%2]
		all.Go(func() {
			noError(t, c.Acquire(t.Context()))
			for taken < items {
				if queued > 0 {
					queued--
					taken++
					continue
				}
				patience := 20 * time.Second
				if i < consumers/2 {
					patience = 20 * time.Microsecond
				}
				err := c.Wait(within(t, patience))
				if err != nil && (patience > time.Second || !errors.Is(err, context.DeadlineExceeded)) {
					t.Error(err)
					break
				}
			}
			noError(t, c.NotifyAll(t.Context()))
			noError(t, c.Release())
		})
	}
	for i := range items {
		noError(t, c.Acquire(t.Context()))
		queued++
		noError(t, c.Notify(t.Context(), 1+i%3))
		noError(t, c.Release())
	}
	all.Wait()
	noError(t, c.Acquire(t.Context()))
	noError(t, c.NotifyAll(t.Context()))
	noError(t, c.Release())
	if taken != items {
		t.Errorf("%d of %d items", taken, items)
	}
	countersOf(t, c.Name()).wantCounts(t, 0, 0, 0)
}

// A process that was killed while it waited never wakes up: a notifier that has
// a context does not wait for it forever, and leaves the counts as if it had
// not notified.
func TestNotifyDeadSleeper(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, counts["sleeping"].Release())
	got := waiters(t, c, 2, within(t, 20*time.Second))
	noError(t, c.Acquire(t.Context()))
	err := c.Notify(within(t, 200*time.Millisecond), 3)
	var e *pyshm.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Op != "notify" {
		t.Error(err)
	}
	counts.wantCounts(t, 1, 0, 0)
	if err := c.NotifyAll(within(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("all: %v", err)
	}
	counts.wantCounts(t, 1, 0, 0)
	noError(t, c.Release())
	noError(t, <-got)
	noError(t, <-got)

	// A waiter that was only late is not lost.
	noError(t, c.Acquire(t.Context()))
	if err := c.Notify(within(t, 10*time.Millisecond), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	noError(t, counts["woken"].Release()) // it gives up
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	noError(t, c.NotifyAll(ctx)) // there is no waiter left
	noError(t, c.NotifyAll(t.Context()))
	counts.wantCounts(t, 0, 0, 0)
	noError(t, c.Release())
}

// Of two notified waiters one has given up, and the other is dead. Their notifications
// do not stay for other waiters.
func TestNotifyLeavesNothing(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, c.Acquire(t.Context()))
	noError(t, counts["sleeping"].Release())
	noError(t, counts["sleeping"].Release())
	got := make(chan error)
	go func() { got <- c.Notify(within(t, 100*time.Millisecond), 2) }()
	wantState(t, counts["wait"], 2, 0)
	noError(t, counts["woken"].Release())
	if err := <-got; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	counts.wantCounts(t, 1, 0, 0)
}

func TestResetCondition(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, c.Acquire(t.Context()))
	for part, n := range map[string]int{"sleeping": 3, "woken": 2, "wait": 1} {
		for range n {
			noError(t, counts[part].Release())
		}
	}
	noError(t, c.Reset())
	counts.wantCounts(t, 0, 0, 0)
	wantState(t, counts["lock"], 1, 0)
}

// Impossible counts are an error, and do not cause millions of notifications.
func TestConditionWithAbsurdCounts(t *testing.T) {
	testkit.NeedSemaphores(t)
	for _, part := range []string{"sleeping", "woken", "wait"} {
		c := createCondition(t)
		m := attach(t, "sem."+c.Name()+"."+part)
		noError(t, c.Acquire(t.Context()))
		_, err := m.WriteAt(sem.Bytes(sem.MaxValue), 0)
		noError(t, err)
		if err := c.NotifyAll(t.Context()); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: %v", part, err)
		}
		// A waiter finds no room in a count; it holds the lock afterwards.
		if err := c.Wait(within(t, 10*time.Millisecond)); part != "wait" && !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("wait, with an absurd count %s: %v", part, err)
		}
		wantState(t, countersOf(t, c.Name())["lock"], 0, 0)
		noError(t, c.Reset())
		countersOf(t, c.Name()).wantCounts(t, 0, 0, 0)
		noError(t, c.Acquire(t.Context()))
		noError(t, c.NotifyAll(t.Context()))
	}
}

// Close ends all waiting through its handle, without the lock. It leaves the counts
// right for the waiters of other handles.
func TestCloseCondition(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	staying, err := pyshm.AttachCondition(c.Name())
	noError(t, err)
	defer staying.Close()
	leaving := waiters(t, c, 5, context.Background())
	left := waiters(t, staying, 1, within(t, 20*time.Second))
	noError(t, staying.Acquire(t.Context())) // the waiters of c cannot have it
	noError(t, c.Close())
	for range 5 {
		if err := <-leaving; !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	}
	wantState(t, counts["lock"], 0, 0)
	wantState(t, counts["woken"], 5, 0)
	_, try := c.TryAcquire()
	for op, err := range map[string]error{
		"acquire": c.Acquire(t.Context()), "try": try, "release": c.Release(), "wait": c.Wait(t.Context()),
		"notify": c.Notify(t.Context(), 1), "reset": c.Reset(), "again": c.Close(),
	} {
		if op == "again" && err != nil || op != "again" && !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", op, err)
		}
	}
	noError(t, staying.NotifyAll(t.Context()))
	noError(t, staying.Release())
	noError(t, <-left)
	counts.wantCounts(t, 0, 0, 0)
}

// A waiter whose handle is closed does not acquire the lock, also if it is free.
func TestCloseConditionWithFreeLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	lock := attachLock(t, c.Name()+".lock")
	got := make(chan error)
	noError(t, c.Acquire(t.Context()))
	go func() { got <- c.Wait(context.Background()) }()
	wantState(t, lock, 1, 0)
	noError(t, c.Close())
	if err := <-got; !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	wantState(t, lock, 1, 0)
}

// When Close begins while Wait ends, the error of Wait shows whether its caller has the
// lock.
func TestCloseConditionDuringWait(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	lock := attachLock(t, c.Name()+".lock")
	closed, ended := 0, 0
	for range soak.Length(500, 20_000) {
		closing, err := pyshm.AttachCondition(c.Name())
		noError(t, err)
		noError(t, closing.Acquire(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error)
		go func() { got <- closing.Wait(ctx) }()
		wantState(t, lock, 1, 0)
		cancel()
		for end := time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond); time.Now().Before(end); {
		}
		noError(t, closing.Close())
		switch err := <-got; {
		case errors.Is(err, fs.ErrClosed):
			closed++
			wantState(t, lock, 1, 0)
		case errors.Is(err, context.Canceled):
			ended++
			wantState(t, lock, 0, 0)
			noError(t, lock.Release())
		default:
			t.Fatal(err)
		}
	}
	t.Logf("closed before the wait ended %d times, and after it %d times", closed, ended)
}

// Close also ends a Notify that waits for a dead waiter.
func TestCloseConditionDuringNotify(t *testing.T) {
	testkit.NeedSemaphores(t)
	c := createCondition(t)
	counts := countersOf(t, c.Name())
	noError(t, counts["sleeping"].Release())
	noError(t, c.Acquire(t.Context()))
	got := make(chan error)
	go func() { got <- c.NotifyAll(t.Context()) }()
	wantState(t, counts["woken"], 0, 1)
	noError(t, c.Close())
	if err := <-got; !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	counts.wantCounts(t, 1, 0, 0)
}

func TestConditionZeroValue(t *testing.T) {
	c := new(pyshm.Condition)
	_, try := c.TryAcquire()
	_, current := c.Current()
	for op, err := range map[string]error{
		"acquire": c.Acquire(t.Context()), "try": try, "release": c.Release(), "wait": c.Wait(t.Context()),
		"notify": c.Notify(t.Context(), 1), "notify all": c.NotifyAll(t.Context()), "reset": c.Reset(), "unlink": c.Unlink(),
		"current": current, "with": c.With(t.Context(), func() error { panic("called") }),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", op, err)
		}
	}
	noError(t, c.Close())
}

// CreateCondition makes all parts or none.
func TestCreateConditionIsAllOrNothing(t *testing.T) {
	testkit.NeedSemaphores(t)
	name := testkit.Name(t)
	for _, taken := range []string{"lock", "sleeping", "wait"} {
		s, err := pyshm.CreateSemaphore(name+"."+taken, 0)
		noError(t, err)
		_, err = pyshm.CreateCondition(name)
		var e *pyshm.Error
		if !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || e.Name != name+"."+taken || strings.Contains(err.Error(), "Replace") {
			t.Errorf("%s is taken: %v", taken, err)
		}
		wantFiles(t, name, taken)
		if _, err := pyshm.AttachCondition(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("only %s is there: %v", taken, err)
		}
		noError(t, s.Close())
		noError(t, s.Unlink())
	}
	for _, name := range []string{"", "/"} {
		if _, err := pyshm.CreateCondition(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	c := keep[*pyshm.Condition](t)(pyshm.CreateCondition(name, pyshm.Mode(0o640)))
	wantFiles(t, name, "lock", "sleeping", "wait", "woken")
	if st := stat(t, "sem."+name+".wait"); st.Mode&0o777 != 0o640 {
		t.Errorf("mode %o", st.Mode)
	}
	noError(t, c.Unlink())
	wantFiles(t, name)
}

// wantFiles fails unless exactly these parts have names.
func wantFiles(t *testing.T, name string, parts ...string) {
	t.Helper()
	entries, err := os.ReadDir("/dev/shm")
	noError(t, err)
	var found []string
	for _, e := range entries {
		if part, ok := strings.CutPrefix(e.Name(), "sem."+name+"."); ok {
			found = append(found, part)
		}
	}
	if slices.Sort(parts); !slices.Equal(found, parts) {
		t.Errorf("there are %q instead of %q", found, parts)
	}
}

// Another process makes a count absurd after Notify has checked it. Notify does not
// notify millions of waiters then, and does not go on beyond its deadline.
func TestNotifyWithChangingCount(t *testing.T) {
	testkit.NeedSemaphores(t)
	for _, part := range []string{"sleeping", "wait", "woken"} {
		c := createCondition(t)
		e := createEvent(t)
		var stop atomic.Bool
		var enemy sync.WaitGroup
		theirs, err := pyshm.View[uint32](attach(t, "sem."+c.Name()+"."+part), int(valueOffset), 1)
		noError(t, err)
		others, err := pyshm.View[uint32](attach(t, "sem."+e.Name()+"."+part), int(valueOffset), 1)
		noError(t, err)
		enemy.Go(func() {
			for i := uint32(0); !stop.Load(); i++ {
				for range 50 {
					stop.Load()
				}
				value := math.MaxInt32 * (i % 2)
				atomic.StoreUint32(&theirs[0], value)
				atomic.StoreUint32(&others[0], value)
			}
		})
		noError(t, c.Acquire(t.Context()))
		done := make(chan error)
		go func() {
			for end := time.Now().Add(soak.Length(300*time.Millisecond, 20*time.Second)); time.Now().Before(end); {
				for _, err := range []error{c.Notify(within(t, time.Millisecond), math.MaxInt), e.Set(within(t, time.Millisecond))} {
					if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, format.ErrCorrupt) {
						t.Errorf("%s: %v", part, err)
					}
				}
			}
			done <- cmp.Or(c.Close(), e.Close())
		}()
		select {
		case err := <-done:
			noError(t, err)
		case <-time.After(20 * time.Second):
			t.Errorf("%s: notifies, or closes, without an end", part)
		}
		stop.Store(true)
		enemy.Wait()
	}
}
