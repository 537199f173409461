package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// withable has the methods of a lock that has With.
type withable interface {
	shared
	With(ctx context.Context, f func() error) error
	TryAcquire() (bool, error)
	Release() error
}

func TestWith(t *testing.T) {
	testkit.NeedLinux(t)
	condition := keep[*pyshm.Condition](t)(pyshm.CreateCondition(testkit.Name(t)))
	for _, l := range []withable{createLock(t), createSemaphore(t, 1), condition} {
		t.Run(fmt.Sprintf("%T", l), func(t *testing.T) { testWith(t, l) })
	}
}

func testWith(t *testing.T, l withable) {
	wantFree := func(want bool) {
		t.Helper()
		free, err := l.TryAcquire()
		noError(t, err)
		if free {
			noError(t, l.Release())
		}
		if free != want {
			t.Fatalf("free: %v", free)
		}
	}
	failed := errors.New("failed")
	for _, want := range []error{nil, failed} {
		err := l.With(t.Context(), func() error {
			wantFree(false)
			return want
		})
		if err != want { // itself, not wrapped
			t.Errorf("%v, not %v", err, want)
		}
		wantFree(true)
	}

	func() {
		defer func() {
			if r := recover(); r != failed {
				t.Errorf("recovered %v", r)
			}
		}()
		l.With(t.Context(), func() error { panic(failed) })
	}()
	wantFree(true)

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.With(t.Context(), func() error {
			runtime.Goexit()
			return nil
		})
	}()
	<-ended
	wantFree(true)

	// Both fail: it was released by f.
	err := l.With(t.Context(), func() error { return errors.Join(l.Release(), failed) })
	if bounded := fmt.Sprintf("%T", l) != "*pyshm.Semaphore"; !errors.Is(err, failed) || errors.Is(err, pyshm.ErrNotAcquired) != bounded {
		t.Errorf("both fail: %v", err)
	}
	for free, err := l.TryAcquire(); free; free, err = l.TryAcquire() { // the semaphore has two now
		noError(t, err)
	}

	err = l.With(within(t, 20*time.Millisecond), func() error {
		t.Error("called without the lock")
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("not acquired: %v", err)
	}
	noError(t, l.Release())

	err = l.With(t.Context(), l.Close)
	var e *pyshm.Error
	if !errors.Is(err, fs.ErrClosed) || !errors.As(err, &e) || e.Op != "release" {
		t.Errorf("closed meanwhile: %v", err)
	}
	if err := l.With(t.Context(), func() error { return failed }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
