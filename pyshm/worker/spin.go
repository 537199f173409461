package worker

import (
	"sync/atomic"
	"time"
)

// defaultSpin is the default of Options.Spin. To wake a thread on an idle processor takes 20
// to 50 µs, each way.
const defaultSpin = 100 * time.Microsecond

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

// A watcher decides for which replies it is worth to stay awake. Python's helper does the same
// between calls.
//
// Watching in vain costs its whole time. So the next calls sleep, 1, then 3, 7 and so on to
// 63, and each success halves their number. But if the other process has not even run
// meanwhile, or a processor that was yielded comes back late, other processes need the
// processors. Each watch then costs a turn: that counts more, and from the third time on all
// calls sleep for 50 ms, and for up to 1 s if it happens again and again.
type watcher struct {
	misses uint          // in a row, as it were
	skip   int           // calls for which not to watch
	pause  time.Duration // the last one
	until  time.Time     // its end
}

const (
	mostMisses  = 6
	notRun      = 3 // misses for one reply if the other process has not run
	firstRest   = 50 * time.Millisecond
	longestRest = time.Second
	forgetAfter = 10 // times the length of a rest, after its end
)

// wants reports whether to watch for the next reply.
func (w *watcher) wants() bool {
	if w.skip > 0 {
		w.skip--
		return false
	}
	return w.pause == 0 || time.Now().After(w.until)
}

// saw notes whether a reply came in time, and if not, whether there are processors for both.
func (w *watcher) saw(inTime, runs bool) {
	switch {
	case inTime:
		w.misses -= min(w.misses, 1)
	case !runs && w.misses == mostMisses:
		w.rest(time.Now())
	case !runs:
		w.misses = min(w.misses+notRun, mostMisses)
	case w.misses < mostMisses:
		w.misses++
	}
	w.skip = 1<<w.misses - 1
}

func (w *watcher) rest(now time.Time) {
	if now.Sub(w.until) > forgetAfter*w.pause {
		w.pause = firstRest / 2
	}
	w.pause = min(2*w.pause, longestRest)
	w.until = now.Add(w.pause)
}

// looks is how often a watcher looks before it looks at the clock, and yields the processor.
const looks = 16

// crowded is how long a yielded processor stays away if other processes need it. The other
// side of a call that takes so long can as well wake this one.
const crowded = 200 * time.Microsecond

// watch looks for something for so long, and reports whether it was there. The function
// runs reports whether the other process has been running since.
//
// If both processes have come to the same processor, the other one runs while this one
// yields. And as neither sleeps, the kernel soon moves one of them to an idle processor.
func (w *watcher) watch(limit time.Duration, look func() (bool, error), runs func() bool) (seen bool, err error) {
	if limit <= 0 || !w.wants() {
		return false, nil
	}
	late := false
	for began := time.Now(); ; {
		for n := 0; n < looks && !seen && err == nil; n++ {
			seen, err = look()
		}
		now := time.Now()
		if seen || err != nil || now.Sub(began) >= limit {
			break
		}
		yield()
		late = late || time.Since(now) > crowded
	}
	w.saw(seen && !late, !late && (seen || runs()))
	return seen, err
}
