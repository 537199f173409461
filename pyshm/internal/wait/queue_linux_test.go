package wait

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// patience is longer than any event takes for which these tests wait.
const patience = 20 * time.Second

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// start begins an Acquire.
func (h *Handle) start(ctx context.Context) <-chan error {
	got := make(chan error, 1)
	go func() { got <- h.Acquire(ctx) }()
	return got
}

// fallAsleep is the time in which a counted waiter falls asleep. On a slower machine a
// test passes, and proves less.
const fallAsleep = 20 * time.Millisecond

// startStranger starts a thread that waits for a token, as a thread of another process
// does, and returns when the thread is asleep. The channel receives whether it got one.
func startStranger(h *Handle) <-chan bool {
	h.words.Count()
	got := make(chan bool, 1)
	go func() {
		taken := false
		for end := time.Now().Add(patience); !taken && time.Now().Before(end); {
			h.words.Sleep(time.Until(end), new(futex.Alarm))
			taken = time.Now().Before(end) && h.words.Take()
		}
		h.words.Uncount()
		got <- taken
	}()
	time.Sleep(fallAsleep)
	return got
}

func (h *Handle) mustRelease(t *testing.T) {
	t.Helper()
	if !h.Release(1, sem.MaxValue) {
		t.Error("cannot release")
	}
}

// A counted context calls its function then when a waiter is counted. It is done if the
// function returns true.
type counted struct {
	context.Context
	words sem.Semaphore
	then  func() bool
	done  bool
}

func (c *counted) Err() error {
	if c.then != nil && c.words.Waiters() > 0 {
		c.done, c.then = c.then(), nil
	}
	if c.done {
		return context.Canceled
	}
	return nil
}

// A token that comes in the moment in which ctx ends is taken.
func TestAcquireLooksAtTheEnd(t *testing.T) {
	h := newHandle(t, 0)
	err := h.Acquire(&counted{Context: t.Context(), words: h.words, then: func() bool {
		h.words.Post(1, 1)
		return true
	}})
	if err != nil {
		t.Error(err)
	}
	wantState(t, h, 0, 0)
}

// A contended wait leaves no trace.
func TestWaitLeavesNothing(t *testing.T) {
	h := newHandle(t, 0)
	got := h.start(t.Context())
	for h.queue.turn.waiting.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	h.mustRelease(t)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	if since := h.queue.turn.waiting.Load(); since != 0 {
		t.Errorf("still waiting since %d", since)
	}
	id := ID{Ino: lastID.Load()}
	forgetQueue(id) // as the cleanup of an earlier queue would
	if queueOf(id) != h.queue {
		t.Error("a queue in use was forgotten")
	}
}

// Only one of the waiting goroutines counts as a waiter, even if they wait through many
// handles. All are served in the order in which they came.
func TestServedInOrder(t *testing.T) {
	const waiters = 8
	handles := newHandles(t, 0, 2)
	var order [waiters]int
	for range 5 { // on a busy machine they may not come in the order of their start
		served := 0
		var all sync.WaitGroup
		for i := range waiters {
			all.Go(func() {
				h := handles[i%2]
				if err := h.Acquire(within(t, patience)); err != nil {
					t.Error(err)
				}
				order[served] = i
				served++
				h.mustRelease(t)
			})
			time.Sleep(5 * time.Millisecond)
			wantState(t, handles[0], 0, 1)
		}
		handles[0].mustRelease(t)
		all.Wait()
		if !handles[0].TryAcquire() {
			t.Fatal("the token is lost")
		}
		if slices.IsSorted(order[:]) {
			return
		}
	}
	t.Errorf("served in the order %d", order)
}

// A leader whose context is done leaves its place to the next goroutine.
func TestNextGoroutineLeads(t *testing.T) {
	h := newHandle(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	first := h.start(ctx)
	wantState(t, h, 0, 1)
	second := h.start(within(t, patience))
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantState(t, h, 0, 1)
	h.mustRelease(t)
	if err := <-second; err != nil {
		t.Error(err)
	}
	wantState(t, h, 0, 0)
}

// A release wakes a waiter of another process, also if the leader of this process
// has slept for longer.
func TestReleaseWakesOtherProcess(t *testing.T) {
	h := newHandle(t, 0)
	own := h.start(t.Context())
	wantState(t, h, 0, 1)
	time.Sleep(fallAsleep)
	h.words.Count()
	woken := make(chan time.Duration)
	go func() {
		began := time.Now()
		h.words.Sleep(patience, new(futex.Alarm))
		woken <- time.Since(began)
	}()
	time.Sleep(fallAsleep)
	h.mustRelease(t)
	if slept := <-woken; slept >= patience {
		t.Error("the waiter of the other process was not woken")
	}
	if err := <-own; err != nil {
		t.Error(err)
	}
}

// A leader finds a token though the process that added it was killed before it woke
// a waiter.
func TestTokenWithoutWake(t *testing.T) {
	h := newHandle(t, 0)
	got := h.start(within(t, patience))
	wantState(t, h, 0, 1)
	time.Sleep(fallAsleep)
	h.words.Post(1, 1)
	began := time.Now()
	if err := <-got; err != nil || time.Since(began) > patience/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// A leader whose context is done, or whose handle is closed, is roused, and need not
// wait until it looks again by itself.
func TestLeaderIsRoused(t *testing.T) {
	for what, end := range map[string]func(h *Handle, cancel func()){
		"canceled": func(_ *Handle, cancel func()) { cancel() },
		"closed":   func(h *Handle, _ func()) { h.Close(new(plainMemory)) },
	} {
		took := time.Hour
		for range 10 { // a busy machine may be late now and then
			h := newHandle(t, 0)
			ctx, cancel := context.WithCancel(t.Context())
			got := h.start(ctx)
			wantState(t, h, 0, 1)
			time.Sleep(fallAsleep)
			began := time.Now()
			end(h, cancel)
			<-got
			took = min(took, time.Since(began))
			cancel()
			if took < recheck/4 {
				break
			}
		}
		if took >= recheck/4 {
			t.Errorf("%s: returns after %v", what, took)
		}
	}
}

// Leaders of more semaphores than may have a thread each wait in crowds, and lose
// nothing there.
func TestCrowds(t *testing.T) {
	const n = 3 * futex.MaxAlone
	var handles []*Handle
	var got []<-chan error
	ctx, cancel := context.WithCancel(t.Context())
	for range n {
		h := newHandle(t, 0)
		handles = append(handles, h)
		got = append(got, h.start(ctx))
	}
	for _, h := range handles {
		wantState(t, h, 0, 1)
	}
	for i, h := range handles {
		if i%3 == 0 {
			h.mustRelease(t)
			if err := <-got[i]; err != nil {
				t.Error(err)
			}
		}
	}
	for i, h := range handles {
		if i%3 == 1 {
			if err := h.Close(new(plainMemory)); err != nil {
				t.Error(err)
			}
			if err := <-got[i]; err != ErrClosed {
				t.Error(err)
			}
		}
	}
	cancel()
	for i, h := range handles {
		if i%3 == 2 {
			if err := <-got[i]; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		wantState(t, h, 0, 0)
	}
}

// Close ends the waiting through its handle, freezes the memory, wakes a waiter for
// a token that a Release has added and not woken for, and revokes the memory.
func TestCloseWakesBetweenFreezeAndRevoke(t *testing.T) {
	handles := newHandles(t, 0, 2)
	closing, other := handles[0], handles[1]
	stranger := startStranger(closing)
	leader := closing.start(context.Background())
	wantState(t, closing, 0, 2)
	behind := closing.start(context.Background())
	m := &plainMemory{
		freeze: func() error {
			time.Sleep(fallAsleep)
			closing.words.Post(1, 1)
			return nil
		},
		revoke: func() error {
			if !<-stranger {
				t.Error("there was a token, and a waiter that Close has not woken")
			}
			return nil
		},
	}
	if err := closing.Close(m); err != nil {
		t.Error(err)
	}
	m.wantSteps(t, "freeze", "guard", "revoke")
	for _, got := range []<-chan error{leader, behind} {
		if err := <-got; err != ErrClosed {
			t.Error(err)
		}
	}
	wantState(t, closing, 0, 0)

	got := other.start(within(t, patience)) // the other handle is not closed
	wantState(t, other, 0, 1)
	other.mustRelease(t)
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// When Close freezes the memory, the leader of its handle no longer counts, also if
// Close begins when the leader counts and does not sleep yet.
func TestCloseWaitsForLeader(t *testing.T) {
	h := newHandle(t, 0)
	m := &plainMemory{freeze: func() error {
		if waiters := h.words.Waiters(); waiters != 0 {
			t.Errorf("%d waiters", waiters)
		}
		return nil
	}}
	closed := make(chan error, 1)
	err := h.Acquire(&counted{Context: t.Context(), words: h.words, then: func() bool {
		go func() { closed <- h.Close(m) }()
		<-h.closing
		time.Sleep(fallAsleep)
		return false
	}})
	if err != ErrClosed {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// Close ends the waiting of a goroutine behind the leader of another handle.
func TestCloseBehindOtherHandle(t *testing.T) {
	handles := newHandles(t, 0, 2)
	closing, other := handles[0], handles[1]
	leader := other.start(t.Context())
	wantState(t, other, 0, 1)
	behind := closing.start(within(t, patience))
	time.Sleep(fallAsleep)
	if err := closing.Close(new(plainMemory)); err != nil {
		t.Error(err)
	}
	if err := <-behind; err != ErrClosed {
		t.Error(err)
	}
	wantState(t, other, 0, 1)
	other.mustRelease(t)
	if err := <-leader; err != nil {
		t.Error(err)
	}
}

// A Close that has failed may be called again. After a success it does nothing.
func TestCloseAgain(t *testing.T) {
	h := newHandle(t, 0)
	waiting := h.start(context.Background())
	wantState(t, h, 0, 1)
	failure := errors.New("failure")
	fail := func() error { return failure }
	m := &plainMemory{freeze: fail}
	for _, steps := range [][]string{{"freeze"}, {"freeze", "guard", "revoke"}} {
		if err := h.Close(m); err != failure {
			t.Error(err)
		}
		m.wantSteps(t, steps...)
		m.freeze, m.revoke = nil, fail
	}
	if err := <-waiting; err != ErrClosed {
		t.Error(err)
	}
	m.revoke = nil
	for _, steps := range [][]string{{"freeze", "guard", "revoke"}, nil} {
		if err := h.Close(m); err != nil {
			t.Error(err)
		}
		m.wantSteps(t, steps...)
	}
}
