//go:build !posixshm

package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func wantSet(t *testing.T, e *pyshm.Event, want bool) {
	t.Helper()
	if set, err := e.IsSet(t.Context()); set != want || err != nil {
		t.Errorf("set: %v, %v; want %v", set, err, want)
	}
}

func TestEvent(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name(), "flag")
	other, err := pyshm.AttachEvent("/" + e.Name())
	noError(t, err)
	defer other.Close()
	wantSet(t, e, false)
	if err := e.Wait(within(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	got := make(chan error)
	for i := range 6 {
		e := []*pyshm.Event{e, other}[i%2]
		go func() { got <- e.Wait(within(t, 20*time.Second)) }()
	}
	wantState(t, counts["wait"], 0, 1)
	wantState(t, counts["sleeping"], 7, 0) // with the waiter that gave up
	noError(t, e.Set(t.Context()))
	for range 6 {
		noError(t, <-got)
	}
	counts.wantCounts(t, 0, 0, 0)
	for range 2 {
		noError(t, other.Set(t.Context()))
		wantSet(t, e, true)
		noError(t, e.Wait(t.Context()))
		wantState(t, counts["flag"], 1, 0)
	}
	for range 2 {
		noError(t, e.Clear(t.Context()))
		wantSet(t, other, false)
		wantState(t, counts["flag"], 0, 0)
	}
	wantState(t, counts["lock"], 1, 0)
}

// A waiter notices an event even if it is set and cleared at once.
func TestEventPulse(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name())
	for range 100 {
		got := make(chan error)
		go func() { got <- e.Wait(within(t, 20*time.Second)) }()
		wantState(t, counts["sleeping"], 1, 0)
		noError(t, e.Set(t.Context()))
		noError(t, e.Clear(t.Context()))
		noError(t, <-got)
	}
	counts.wantCounts(t, 0, 0, 0)
}

// A dead process may hold the lock of an event.
func TestEventWithDeadHolder(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name())
	noError(t, counts["lock"].Acquire(t.Context()))
	ctx := within(t, 20*time.Millisecond)
	_, isSet := e.IsSet(ctx)
	for op, err := range map[string]error{
		"set": e.Set(ctx), "clear": e.Clear(ctx), "is set": isSet, "wait": e.Wait(ctx),
	} {
		var inner *pyshm.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &inner) || inner.Op != op || inner.Name != e.Name() {
			t.Errorf("%s: %v", op, err)
		}
	}
	noError(t, e.Reset())
	wantSet(t, e, false)
	wantState(t, counts["lock"], 1, 0)
}

// A dead process may hold the lock while others wait for the event: the others neither
// wait beyond the end of their context nor miss that the event has been set.
func TestWaitForEventWithDeadHolder(t *testing.T) {
	for what, tc := range map[string]struct {
		before   func(counts counters) error
		sleeping int
		want     error
	}{
		"not set":      {func(counters) error { return nil }, 1, context.DeadlineExceeded},
		"not notified": {func(counts counters) error { return counts["flag"].Release() }, 1, nil},
		"notified": {func(counts counters) error {
			_, err := counts["sleeping"].TryAcquire()
			return errors.Join(err, counts["flag"].Release(), counts["wait"].Release())
		}, 0, nil},
	} {
		t.Run(what, func(t *testing.T) {
			e := createEvent(t)
			counts := countersOf(t, e.Name(), "flag")
			got, before := make(chan error, 1), false
			go func() {
				err := e.Wait(within(t, 200*time.Millisecond))
				if err == nil && !before { // the race detector checks this read, too
					t.Error("does not see what was written before the event was set")
				}
				got <- err
			}()
			wantState(t, counts["sleeping"], 1, 0)
			noError(t, counts["lock"].Acquire(t.Context()))
			before = true
			noError(t, tc.before(counts))
			select {
			case err := <-got:
				if !errors.Is(err, tc.want) {
					t.Errorf("%v instead of %v", err, tc.want)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("waits for the lock")
			}
			counts.wantCounts(t, tc.sleeping, 1, 0)
			wantState(t, counts["lock"], 0, 0)
		})
	}
}

// Every method whose context is done tries once. If the lock is taken, Wait only looks
// at the flag.
func TestEventLooksOnce(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name(), "flag")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("wait, not set: %v", err)
	}
	noError(t, e.Set(ctx))
	counts.wantCounts(t, 0, 0, 0)
	if set, err := e.IsSet(ctx); !set || err != nil {
		t.Errorf("is set: %v, %v", set, err)
	}
	noError(t, e.Wait(ctx))
	noError(t, e.Clear(ctx))
	wantSet(t, e, false)

	noError(t, counts["lock"].Acquire(t.Context()))
	if err := e.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("wait, locked and not set: %v", err)
	}
	noError(t, counts["flag"].Release())
	noError(t, e.Wait(ctx))
	wantState(t, counts["lock"], 0, 0)
}

// An event is set while Wait waits for the lock. Wait notices it at the end of its
// context.
func TestWaitForLockedEvent(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name(), "flag")
	noError(t, counts["lock"].Acquire(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() { got <- e.Wait(ctx) }()
	wantState(t, counts["lock"], 0, 1)
	noError(t, counts["flag"].Release())
	cancel()
	noError(t, <-got)
}

// Set sets an event also if a process has died while it waited for the event.
func TestEventWithDeadSleeper(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name())
	noError(t, counts["sleeping"].Release())
	if err := e.Set(within(t, 20*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	wantSet(t, e, true)
	noError(t, e.Reset())
	wantSet(t, e, true)
	noError(t, e.Set(t.Context()))
	counts.wantCounts(t, 0, 0, 0)
}

func TestCloseEvent(t *testing.T) {
	e := createEvent(t)
	counts := countersOf(t, e.Name())
	got := make(chan error)
	for range 5 {
		go func() { got <- e.Wait(context.Background()) }()
	}
	wantState(t, counts["sleeping"], 5, 0)
	wantState(t, counts["wait"], 0, 1)
	noError(t, e.Close())
	for range 5 {
		if err := <-got; !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	}
	counts.wantCounts(t, 5, 5, 0)
	wantState(t, counts["lock"], 1, 0)
	for what, e := range map[string]*pyshm.Event{"closed": e, "zero": new(pyshm.Event)} {
		_, isSet := e.IsSet(t.Context())
		_, current := e.Current()
		for op, err := range map[string]error{
			"set": e.Set(t.Context()), "clear": e.Clear(t.Context()), "is set": isSet, "wait": e.Wait(t.Context()), "reset": e.Reset(),
			"current": current,
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %s: %v", what, op, err)
			}
		}
		noError(t, e.Close())
	}
}

// Another process stores arbitrary words all the time. Nothing crashes, and Close ends
// all calls.
func TestHostileEvent(t *testing.T) {
	e := createEvent(t)
	var files []string
	for _, part := range []string{"lock", "sleeping", "woken", "wait", "flag"} {
		files = append(files, "sem."+e.Name()+"."+part)
	}
	stop := corrupt(t, files...)
	var all sync.WaitGroup
	calls := []func(context.Context) error{
		e.Set, e.Clear, e.Wait, func(context.Context) error { return e.Reset() },
		func(ctx context.Context) error { _, err := e.IsSet(ctx); return err },
	}
	for _, call := range calls {
		for range 2 {
			all.Go(func() {
				for {
					err := call(within(t, 2*time.Millisecond))
					switch {
					case errors.Is(err, fs.ErrClosed):
						return
					case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, pyshm.ErrNotAcquired),
						errors.Is(err, format.ErrCorrupt), errors.Is(err, fs.ErrInvalid):
					default:
						t.Error(err)
					}
				}
			})
		}
	}
	time.Sleep(soak.Length(300*time.Millisecond, 20*time.Second))
	noError(t, e.Close())
	all.Wait()
	stop()
}

func TestCreateEventIsAllOrNothing(t *testing.T) {
	name := testkit.Name(t)
	s, err := pyshm.CreateSemaphore(name+".lock", 0)
	noError(t, err)
	if _, err := pyshm.CreateEvent(name); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	wantFiles(t, name, "lock")
	noError(t, s.Close())
	noError(t, s.Unlink())
	e := keep[*pyshm.Event](t)(pyshm.CreateEvent(name))
	wantFiles(t, name, "flag", "lock", "sleeping", "wait", "woken")
	noError(t, e.Unlink())
	wantFiles(t, name)
	if _, err := pyshm.CreateEvent(""); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}
