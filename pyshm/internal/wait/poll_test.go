package wait

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tokens is a semaphore that can only be tried.
type tokens struct {
	n      atomic.Int64
	tries  atomic.Int64
	failed atomic.Pointer[error]
	closed atomic.Bool
}

func (s *tokens) TryWait() (bool, error) {
	s.tries.Add(1)
	if err := s.failed.Load(); err != nil {
		return false, *err
	}
	if s.closed.Load() {
		return false, fs.ErrClosed
	}
	for {
		n := s.n.Load()
		if n == 0 {
			return false, nil
		}
		if s.n.CompareAndSwap(n, n-1) {
			return true, nil
		}
	}
}

func (s *tokens) Post() error  { s.n.Add(1); return nil }
func (s *tokens) Close() error { s.closed.Store(true); return nil }

func newPoller(t *testing.T) (*Poller, *tokens) {
	s := new(tokens)
	p := new(Poller)
	p.Open(t.Name(), s)
	return p, s
}

func TestPollPauses(t *testing.T) {
	var all time.Duration
	last := time.Duration(0)
	for n := range 40 {
		pause := pollPause(n)
		if pause < last || pause > 20*time.Millisecond {
			t.Errorf("pause %d is %v after %v", n, pause, last)
		}
		last = pause
		all += pause
	}
	if pollPause(0) != 50*time.Microsecond || pollPause(5) != time.Millisecond || last != 20*time.Millisecond {
		t.Errorf("%v, %v, %v", pollPause(0), pollPause(5), last)
	}
	if all < 400*time.Millisecond {
		t.Errorf("40 pauses take %v", all)
	}
}

// A goroutine that gives up has taken nothing: all tokens are there in the end, however
// releases and ends of contexts meet.
func TestPollersLoseNothing(t *testing.T) {
	p, s := newPoller(t)
	const all = 3
	s.n.Store(all)
	var took, gaveUp atomic.Int64
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*37+n*11)%300)*time.Microsecond)
				switch err := p.Acquire(ctx); {
				case err == nil:
					took.Add(1)
					time.Sleep(time.Duration(n%7) * 20 * time.Microsecond)
					if err := p.Release(1); err != nil {
						t.Error(err)
					}
				case errors.Is(err, context.DeadlineExceeded):
					gaveUp.Add(1)
				default:
					t.Error(err)
				}
				cancel()
			}
		})
	}
	group.Wait()
	if n := s.n.Load(); n != all {
		t.Errorf("%d tokens instead of %d", n, all)
	}
	if took.Load() == 0 || gaveUp.Load() == 0 {
		t.Errorf("%d times taken, %d times given up", took.Load(), gaveUp.Load())
	}
}

// A free token is taken whatever the context.
func TestPollerTriesOnce(t *testing.T) {
	p, s := newPoller(t)
	past, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Acquire(past); err != context.Canceled {
		t.Errorf("without a token: %v", err)
	}
	s.n.Store(1)
	if err := p.Acquire(past); err != nil || s.n.Load() != 0 {
		t.Errorf("with a token: %v", err)
	}
}

// A release in this process ends the pause, which would be 20 ms by then.
func TestReleaseEndsThePause(t *testing.T) {
	p, s := newPoller(t)
	other := new(Poller)
	other.Open(t.Name(), s)
	for range 3 {
		done := make(chan error, 1)
		go func() { done <- p.Acquire(t.Context()) }()
		for s.tries.Load() < 12 {
			time.Sleep(time.Millisecond)
		}
		s.tries.Store(0)
		if err := other.Release(1); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := s.tries.Load(); n > 2 {
			t.Errorf("%d tries after the release", n)
		}
	}
}

// A goroutine that acquires and releases without a pause leaves the others their turns.
func TestPollersTakeTurns(t *testing.T) {
	p, s := newPoller(t)
	s.n.Store(1)
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if p.Acquire(t.Context()) == nil {
				p.Release(1)
			}
		}
	})
	for range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := p.Acquire(ctx)
		cancel()
		if err != nil {
			t.Error(err)
			break
		}
		p.Release(1)
	}
	close(stop)
	group.Wait()
}

func TestPollerCloses(t *testing.T) {
	p, _ := newPoller(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := p.Acquire(t.Context()); err != ErrClosed && err != fs.ErrClosed {
				t.Errorf("waiting: %v", err)
			}
		})
	}
	time.Sleep(5 * time.Millisecond)
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	if err := p.Acquire(t.Context()); err != fs.ErrClosed {
		t.Errorf("afterwards: %v", err)
	}
}

// What the system refuses ends the waiting.
func TestPollerFails(t *testing.T) {
	p, s := newPoller(t)
	done := make(chan error, 1)
	go func() { done <- p.Acquire(t.Context()) }()
	time.Sleep(time.Millisecond)
	reason := error(fs.ErrPermission)
	s.failed.Store(&reason)
	if err := <-done; err != reason {
		t.Errorf("%v", err)
	}
	if _, err := p.IsZero(); err != reason {
		t.Errorf("a look: %v", err)
	}
	if n, err := p.TakeUpTo(3); n != 0 || err != reason {
		t.Errorf("%d, %v", n, err)
	}
}

func TestPollerLooks(t *testing.T) {
	p, s := newPoller(t)
	for _, n := range []int64{0, 1, 5} {
		s.n.Store(n)
		if zero, err := p.IsZero(); zero != (n == 0) || err != nil || s.n.Load() != n {
			t.Errorf("%d: zero %v, %v, now %d", n, zero, err, s.n.Load())
		}
	}
	if n, err := p.TakeUpTo(3); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := p.TakeUpTo(3); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
