package pyshm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// Here strangers sleep in the kernel, as other processes do, and nobody but the
// one under test wakes them: they get a token before they give up, or do not.
const wakeTimeout = 5 * time.Second

// asleep starts n strangers that wait for a token. Whether they get one arrives
// on the channel.
func asleep(t *testing.T, s *pyshm.Semaphore, n int) <-chan bool {
	t.Helper()
	got := make(chan bool, n)
	for range n {
		stranger := attachStranger(t, s.Name())
		go func() { got <- stranger.acquire(wakeTimeout) }()
	}
	wantState(t, s, 0, n)
	time.Sleep(20 * time.Millisecond) // from being counted to being asleep
	return got
}

func wantWoken(t *testing.T, got <-chan bool) {
	t.Helper()
	for range cap(got) {
		if !<-got {
			t.Error("there was a token, and a waiter that nobody has woken")
		}
	}
}

func TestResetWakesAll(t *testing.T) {
	s := createSemaphore(t, 0, pyshm.Bound(3))
	got := asleep(t, s, 3)
	noError(t, s.Reset())
	wantWoken(t, got)
}

// A Release that Close overtakes has put its token back, and woken nobody.
func TestCloseWakesForTokens(t *testing.T) {
	s := createSemaphore(t, 0)
	handle, err := pyshm.AttachSemaphore(s.Name())
	noError(t, err)
	got := asleep(t, s, 1)
	attachStranger(t, s.Name()).Post(1, sem.MaxValue)
	noError(t, handle.Close())
	wantWoken(t, got)
}

// The wake that a waiter has got, and does not use because it rests, is passed on.
func TestWakeIsPassedOn(t *testing.T) {
	const denied = 64 // times that a waiter is denied its sleep before it rests
	s := createSemaphore(t, 0)
	stranger := attachStranger(t, s.Name())
	got := asleep(t, s, 1)
	looks := 0
	ctx := &overtaken{Context: t.Context(), overtake: func() bool {
		if looks == 0 && stranger.Waiters() < 2 {
			return false
		}
		switch looks++; { // it looks before it tries, and before it sleeps
		case looks > 2*denied: // it rests
			wantWoken(t, got)
			return true
		case looks%2 == 0:
			stranger.Post(1, sem.MaxValue) // and the wake of it goes to the one that is denied
		default:
			stranger.Take()
		}
		return false
	}}
	if err := s.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// An overtaken context is done from the moment that overtake returns true.
type overtaken struct {
	context.Context
	overtake func() bool
	done     bool
}

func (c *overtaken) Err() error {
	if c.done = c.done || c.overtake(); c.done {
		return context.Canceled
	}
	return nil
}
