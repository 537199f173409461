//go:build linux || darwin || freebsd

package worker

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestQueue: the calls of 1,000 goroutines get their workers in order, up to the limit. One slow call holds up no
// other worker.
func TestQueue(t *testing.T) {
	t.Parallel()
	const callers = 1000
	p := startPool(t, testkit.Python(t), Options{Workers: 2, Queue: callers})
	slow, stop := context.WithCancel(t.Context())
	defer stop()
	var naps, calls sync.WaitGroup
	block := make(chan struct{})
	naps.Go(func() { p.Call(slow, "nap", 1000) })
	naps.Go(func() { p.Do(t.Context(), func(*Job) error { <-block; return nil }) })
	testkit.Eventually(t, "both workers are busy", func() bool { return p.Stats().Busy == 2 })

	var mu sync.Mutex
	var order []int
	for n := range callers {
		calls.Go(func() {
			p.Do(t.Context(), func(j *Job) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, n)
				_, err := j.Call(t.Context(), "echo", n)
				return err
			})
		})
		for queued := 0; queued <= n; runtime.Gosched() { // Eventually would pause
			p.mu.Lock()
			queued = p.queue.waiting.Len()
			p.mu.Unlock()
		}
	}
	_, err := p.Call(t.Context(), "echo", 1)
	wantReason(t, "a call too many", err, ErrBusy)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	p.mu.Lock()
	p.queue.limit++
	p.mu.Unlock()
	_, err = p.Call(ctx, "echo", 1)
	wantReason(t, "a call that cannot wait", err, context.DeadlineExceeded)

	close(block)
	calls.Wait()
	for i, n := range order {
		if i != n {
			t.Fatalf("calls were served in the order %v", order)
		}
	}
	stop()
	naps.Wait()
	s := p.Stats()
	wantEqual(t, "refused, queued", []int{int(s.Refused), s.Queued}, []int{1, 0})
	if s.P50 <= 0 || s.P50 > s.P99 || s.P99 > s.Max || s.Calls != callers+1 {
		t.Errorf("%+v", s)
	}
}

// TestHistogram: a quantile is at least the duration, and at most 1/16 above it.
func TestHistogram(t *testing.T) {
	for d := time.Duration(0); d < time.Hour; d = d*9/8 + 1 {
		var h histogram
		h.add(d)
		if got := h.quantile(0.5); got < d || got > d+d/16 {
			t.Errorf("%v is %v", d, got)
		}
	}
	var h histogram
	for n := range 1000 {
		h.add(time.Duration(n) * time.Microsecond)
	}
	if got := h.quantile(0.9); got < 890*time.Microsecond || got > 960*time.Microsecond {
		t.Errorf("the 0.9 quantile of 0 to 999 µs is %v", got)
	}
	wantEqual(t, "without durations", new(histogram).quantile(0.5), time.Duration(0))
}
