package wait

import (
	"context"
	"sync"
	"time"
)

// A Trier is a semaphore that no goroutine can wait for: it can only try.
type Trier interface {
	// TryWait takes a token if there is one.
	TryWait() (taken bool, err error)
	// Post adds a token.
	Post() error
	// Close makes the other methods fail.
	Close() error
}

// A Poller waits for a [Trier], as Python does on macOS for an acquire with a timeout. A
// thread in sem_wait could not be stopped: the token that ended its wait would be lost.
//
// A goroutine that finds no token tries again and again, with the pauses of pollPause. Of the
// goroutines of a process that wait for one semaphore one polls, and the others wait for
// their turn. A release in this process ends a pause. A goroutine whose context ends between
// two tries has taken nothing, so nothing is lost.
//
// Its methods may be called by several goroutines at once.
type Poller struct {
	sem     Trier
	queue   *queue
	closing chan struct{} // closed when Close begins
	begin   sync.Once     // closes closing
}

// Open makes p wait for a semaphore. It is called once, before any other method. Handles
// with one name share a queue.
func (p *Poller) Open(name string, sem Trier) {
	p.sem = sem
	p.queue = queueOf(name)
	p.closing = make(chan struct{})
}

// pollPause returns the pause after n tries without a token in between: 50, 100, 200, 400 and
// 800 µs, and then, as in CPython's sem_timedwait_save, 1, 2 and so on to 20 ms.
func pollPause(n int) time.Duration {
	const quick = 5
	if n < quick {
		return 50 * time.Microsecond << n
	}
	return time.Duration(min(n-quick+1, 20)) * time.Millisecond
}

// Acquire waits until there is a token, and takes it. When ctx is done it tries once more,
// and returns ctx.Err() if there is none. It returns ErrClosed if Close ends the waiting.
func (p *Poller) Acquire(ctx context.Context) error {
	if len(p.queue.lead) > 0 { // no goroutine of this process waits
		if taken, err := p.TryAcquire(); taken || err != nil {
			return err
		}
	}
	err := p.wait(ctx)
	if err != nil && err == ctx.Err() {
		taken, tryErr := p.TryAcquire()
		if taken || tryErr != nil {
			return tryErr
		}
	}
	return err
}

// wait takes a token when the caller's turn in the queue has come.
func (p *Poller) wait(ctx context.Context) error {
	select {
	case <-p.queue.lead:
	case <-ctx.Done():
		return ctx.Err()
	case <-p.closing:
		return ErrClosed
	}
	defer func() { p.queue.lead <- struct{}{} }()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for n := 0; ; n++ {
		if taken, err := p.TryAcquire(); taken || err != nil {
			return err
		}
		pause.Reset(pollPause(n))
		select {
		case <-pause.C:
		case <-p.queue.nudge:
			n = -1
		case <-ctx.Done():
			return ctx.Err()
		case <-p.closing:
			return ErrClosed
		}
	}
}

// TryAcquire takes a token if there is one, past goroutines that wait.
func (p *Poller) TryAcquire() (taken bool, err error) {
	taken, err = p.sem.TryWait()
	if taken {
		p.queue.acquired()
	}
	return taken, err
}

// TakeUpTo takes as many tokens as there are, at most n, one by one.
func (p *Poller) TakeUpTo(n uint32) (taken uint32, err error) {
	for ; taken < n; taken++ {
		if got, err := p.TryAcquire(); !got || err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// IsZero reports whether there is no token. If there is one, it takes the token for a moment.
func (p *Poller) IsZero() (bool, error) {
	taken, err := p.TryAcquire()
	if !taken || err != nil {
		return true, err
	}
	return false, p.Release(1)
}

// Release adds n tokens, one by one.
func (p *Poller) Release(n uint32) error {
	p.queue.releasing()
	for range n {
		if err := p.sem.Post(); err != nil {
			return err
		}
	}
	select {
	case p.queue.nudge <- struct{}{}:
	default: // a nudge is under way
	}
	return nil
}

// Close ends the waiting through this handle, with ErrClosed, and closes the semaphore.
func (p *Poller) Close() error {
	p.begin.Do(func() { close(p.closing) })
	return p.sem.Close()
}
