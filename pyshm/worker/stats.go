package worker

import (
	"context"
	"errors"
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats are counts of a pool since its start, and its state.
type Stats struct {
	Workers int // that are up
	Busy    int // that have a call or job
	Queued  int // calls that wait for a worker

	Calls      uint64 // that have ended: with a result, an exception, or an error
	Exceptions uint64 // calls that have raised an exception
	Crashes    uint64 // calls whose worker has ended
	Expired    uint64 // calls whose context has ended
	Retries    uint64 // calls and jobs that were repeated after a crash
	Refused    uint64 // calls that were refused with ErrBusy
	Restarts   uint64 // workers that took the place of others

	// Latency of the calls, from when a worker had the call until its result was there. The
	// figures are up to 6 % too high. They are 0 before the first call.
	P50, P90, P99, Max time.Duration
}

// Stats returns the counts and the state of the pool.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := Stats{Workers: len(p.workers), Busy: p.busy, Queued: p.queue.waiting.Len()}
	p.mu.Unlock()
	c := &p.stats
	s.Exceptions, s.Crashes, s.Expired = c.exceptions.Load(), c.crashes.Load(), c.expired.Load()
	s.Retries, s.Refused, s.Restarts = c.retries.Load(), c.refused.Load(), c.restarts.Load()
	s.Calls = c.calls.Load()
	s.P50, s.P90, s.P99, s.Max = c.latency.quantile(0.5), c.latency.quantile(0.9), c.latency.quantile(0.99), c.latency.quantile(1)
	return s
}

type counters struct {
	calls, exceptions, crashes, expired, retries, refused, restarts atomic.Uint64
	latency                                                         histogram
}

// count counts a call that has ended.
func (c *counters) count(d time.Duration, err error) {
	c.calls.Add(1)
	c.latency.add(d)
	var raised *PythonError
	var crash *CrashError
	switch {
	case err == nil:
	case errors.As(err, &raised):
		c.exceptions.Add(1)
	case errors.As(err, &crash):
		c.crashes.Add(1)
	case isExpired(err):
		c.expired.Add(1)
	}
}

// A histogram counts durations in buckets, 16 for each power of two of nanoseconds.
type histogram [64 * 16]atomic.Uint64

func (h *histogram) add(d time.Duration) { h[bucket(uint64(max(d, 0)))].Add(1) }

// bucket returns the bucket of a number: its highest bit, and the four bits below it.
func bucket(n uint64) int {
	if n < 16 {
		return int(n)
	}
	shift := bits.Len64(n) - 5
	return shift*16 + int(n>>shift)
}

// upper returns the highest number in a bucket.
func upper(bucket int) uint64 {
	if bucket < 16 {
		return uint64(bucket)
	}
	shift := bucket/16 - 1
	return uint64(bucket%16+17)<<shift - 1
}

// quantile returns a duration that a part q of the durations does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	var counts [len(h)]uint64
	var all uint64
	for i := range h {
		counts[i] = h[i].Load()
		all += counts[i]
	}
	rank := max(uint64(q*float64(all)), 1)
	for i, n := range counts {
		if n >= rank {
			return time.Duration(upper(i))
		}
		rank -= n
	}
	return 0
}

func isExpired(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
