package worker

import "sync"

// A tally counts goroutines. Unlike a sync.WaitGroup, it allows that one starts while
// another waits for the end of all: a call can be given up while its pool ends.
type tally struct {
	mu    sync.Mutex
	count int
	none  chan struct{} // closed when the count is 0; nil if no goroutine waits
}

func (t *tally) Go(f func()) {
	t.mu.Lock()
	t.count++
	t.mu.Unlock()
	go func() {
		defer t.done()
		f()
	}()
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count--
	if t.count == 0 && t.none != nil {
		close(t.none)
		t.none = nil
	}
}

// Wait returns when the count is 0.
func (t *tally) Wait() {
	t.mu.Lock()
	if t.count == 0 {
		t.mu.Unlock()
		return
	}
	if t.none == nil {
		t.none = make(chan struct{})
	}
	none := t.none
	t.mu.Unlock()
	<-none
}
