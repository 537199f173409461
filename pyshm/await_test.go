package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestAttachContextWaits(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t)
	created := make(chan error, 1)
	go func() {
		// CPython makes the name first and sets the size later.
		time.Sleep(5 * time.Millisecond)
		f, err := os.Create(pathOf(name))
		if err != nil {
			created <- err
			return
		}
		time.Sleep(5 * time.Millisecond)
		created <- errors.Join(f.Truncate(64), f.Close())
	}()
	defer pyshm.Unlink(name)
	m, err := pyshm.AttachContext(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := <-created; err != nil || m.Size() != 64 {
		t.Errorf("size %d, %v", m.Size(), err)
	}
}

func TestAttachContextGivesUp(t *testing.T) {
	testkit.NeedLinux(t)
	missing, empty := testkit.Name(t), testkit.Name(t)
	if err := os.WriteFile(pathOf(empty), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer pyshm.Unlink(empty)
	for name, reason := range map[string]error{missing: fs.ErrNotExist, empty: format.ErrIncomplete} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		m, err := pyshm.AttachContext(ctx, name)
		var e *pyshm.Error
		if m != nil || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, reason) || !errors.As(err, &e) || e.Name != name {
			t.Errorf("AttachContext = %v, %v", m, err)
		}
	}
}

// AttachContext returns at once if the segment exists, or if waiting cannot help.
func TestAttachContextDoesNotWait(t *testing.T) {
	if _, err := pyshm.AttachContext(context.Background(), "a/b"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("invalid name: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := pyshm.AttachContext(ended, create(t, 1).Name())
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if _, err := pyshm.AttachContext(ended, testkit.Name(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// awaiting has the functions that wait, for a handle of each kind.
var awaiting = map[string]struct {
	attach func(ctx context.Context, name string) (named, error)
	create func(name string) (named, error)
}{
	"AttachContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachContext(ctx, name) }, creators["Create"],
	},
	"AttachListContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachListContext(ctx, name) },
		creators["CreateList"],
	},
	"AttachArrayContext": {
		func(ctx context.Context, name string) (named, error) {
			return pyshm.AttachArrayContext[int64](ctx, name)
		},
		creators["CreateArray"],
	},
	"AttachLockContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachLockContext(ctx, name) },
		creators["CreateLock"],
	},
	"AttachSemaphoreContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachSemaphoreContext(ctx, name) },
		creators["CreateSemaphore"],
	},
	"AttachBoundedSemaphoreContext": {
		func(ctx context.Context, name string) (named, error) {
			return pyshm.AttachBoundedSemaphoreContext(ctx, name, 2)
		},
		creators["CreateBoundedSemaphore"],
	},
	"AttachConditionContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachConditionContext(ctx, name) },
		creators["CreateCondition"],
	},
	"AttachEventContext": {
		func(ctx context.Context, name string) (named, error) { return pyshm.AttachEventContext(ctx, name) },
		creators["CreateEvent"],
	},
}

func TestAwaiting(t *testing.T) {
	testkit.NeedKeptNames(t)
	for function, tc := range awaiting {
		t.Run(function, func(t *testing.T) {
			needKind(t, function)
			name := testkit.Name(t)
			created := make(chan named, 1)
			go func() {
				time.Sleep(10 * time.Millisecond)
				h, err := tc.create(name)
				if err != nil {
					t.Error(err)
				}
				created <- h
			}()
			h, err := tc.attach(within(t, 10*time.Second), name)
			other := <-created
			if err != nil || other == nil {
				t.Fatal(err)
			}
			wantCurrent(t, h)
			noError(t, errors.Join(h.Close(), other.Close(), other.Unlink()))

			var e *pyshm.Error
			_, err = tc.attach(within(t, 20*time.Millisecond), name)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) {
				t.Errorf("none appears: %v", err)
			}
			if _, err := tc.attach(context.Background(), "a/b"); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("invalid name: %v", err)
			}
		})
	}
}
