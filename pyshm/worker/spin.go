package worker

import (
	"sync/atomic"
	"time"
)

// defaultSpin is the default of Options.Spin. To wake a thread on an idle processor takes 20
// to 50 µs, each way.
const defaultSpin = 50 * time.Microsecond

// mostSpin is the longest Options.Spin: neither side heeds anything else in this time.
const mostSpin = time.Millisecond

// calling is how many calls are under way, in all pools of this process.
var calling atomic.Int64

// A spin is how long either side of a worker's calls may watch for the other.
type spin struct {
	limit      time.Duration // not positive if neither may
	processors int
}

func newSpin(o *Options) spin { return spin{o.Spin, processors()} }

// now returns for how long to watch at the moment.
func (s spin) now() time.Duration { return s.among(calling.Load()) }

// among returns the limit, or 0 if there are not two processors for each of so many calls.
func (s spin) among(calls int64) time.Duration {
	if s.limit < 0 || 2*calls > int64(s.processors) {
		return 0
	}
	return s.limit
}

// A watcher decides for which replies it is worth to stay awake. Watching in vain costs its
// whole time, so the next calls sleep: 1, then 3, 7 and so on. Each success halves their number.
// Python's helper does the same between calls.
type watcher struct {
	misses uint // in a row, as it were
	skip   int  // calls for which not to watch
}

// mostMisses limits how many calls sleep between two attempts, to 63.
const mostMisses = 6

// wants reports whether to watch for the next reply.
func (w *watcher) wants() bool {
	if w.skip > 0 {
		w.skip--
		return false
	}
	return true
}

// saw notes whether a reply came in time.
func (w *watcher) saw(inTime bool) {
	switch {
	case !inTime:
		w.misses = min(w.misses+1, mostMisses)
	case w.misses > 0:
		w.misses--
	}
	w.skip = 1<<w.misses - 1
}

// looks is how often a watcher looks before it looks at the clock.
const looks = 16

// watch looks for something for so long, and reports whether it was there.
func (w *watcher) watch(limit time.Duration, look func() (bool, error)) (seen bool, err error) {
	if limit <= 0 || !w.wants() {
		return false, nil
	}
	for began, over := time.Now(), false; !seen && err == nil && !over; over = time.Since(began) >= limit {
		for n := 0; n < looks && !seen && err == nil; n++ {
			seen, err = look()
		}
	}
	w.saw(seen)
	return seen, err
}
