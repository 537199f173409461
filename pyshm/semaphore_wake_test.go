package pyshm_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// Here strangers sleep in a process of their own, and only the process under test
// wakes them: they get a token before they give up, or do not. In the same process
// they could share a thread with the waiter under test, and the thread looks at
// their word whenever that waiter comes.
const wakeTimeout = 5 * time.Second

// asleep starts a process with n strangers that wait for a token.
func asleep(t *testing.T, s *pyshm.Semaphore, n int) *testkit.Child {
	t.Helper()
	c := testkit.StartChild(t, "strangers", s.Name(), strconv.Itoa(n))
	wantState(t, s, 0, n)
	time.Sleep(20 * time.Millisecond) // from being counted to being asleep
	return c
}

func init() { testkit.Roles["strangers"] = sleepAsStrangers }

// sleepAsStrangers returns an error if a stranger has not got a token.
func sleepAsStrangers(args []string, _ <-chan string) error {
	m, err := pyshm.Attach("sem." + args[0])
	if err != nil {
		return err
	}
	s, err := sem.At(m.Bytes())
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if !(stranger{s}).acquire(wakeTimeout) {
				errs[i] = errors.New("there was a token, and a waiter that no process has woken")
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func TestResetWakesAll(t *testing.T) {
	testkit.NeedLinux(t)
	s := emptyBoundedSemaphore(t, 3)
	strangers := asleep(t, s, 3)
	noError(t, s.Reset())
	strangers.End(t)
}

// A Release that Close overtakes has put its token back, and woken no waiter.
func TestCloseWakesForTokens(t *testing.T) {
	testkit.NeedLinux(t)
	s := createSemaphore(t, 0)
	handle, err := pyshm.AttachSemaphore(s.Name())
	noError(t, err)
	strangers := asleep(t, s, 1)
	attachStranger(t, s.Name()).Post(1, sem.MaxValue)
	noError(t, handle.Close())
	strangers.End(t)
}

// The wake that a waiter has got, and does not use because it rests, is passed on.
func TestWakeIsPassedOn(t *testing.T) {
	testkit.NeedLinux(t)
	for range 10 {
		if testWakeIsPassedOn(t) {
			return
		}
	}
	t.Error("the stranger takes tokens without being woken")
}

// testWakeIsPassedOn returns false if the stranger was late to sleep and took a
// token of another's wake.
func testWakeIsPassedOn(t *testing.T) (tested bool) {
	const denied = 64 // times that a waiter is denied its sleep before it rests
	s := createSemaphore(t, 0)
	words := attachStranger(t, s.Name())
	other := asleep(t, s, 1)
	looks := 0
	ctx := &overtaken{Context: t.Context(), overtake: func() bool {
		if looks == 0 && words.Waiters() < 2 {
			return false
		}
		switch looks++; { // it looks before it tries, and before it sleeps
		case looks > 2*denied: // it rests
			other.End(t)
			tested = true
		case looks%2 == 0:
			words.Post(1, sem.MaxValue) // its wake goes to the waiter without sleep
		case looks > 1:
			return !words.Take()
		}
		return tested
	}}
	if err := s.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	return tested
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
