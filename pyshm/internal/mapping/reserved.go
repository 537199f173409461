//go:build linux || windows || darwin || freebsd

package mapping

import (
	"runtime"
	"sync"
	"time"
)

// A range keeps its addresses until the garbage collector has found that nothing uses
// the handle any more. This includes ranges that Revoke has emptied, and ranges of
// handles that became unreachable without Close. The collector runs when the heap
// grows, but in the heap a handle of gigabytes is some hundred bytes. So this file
// starts the collector when there are many ranges, and when the kernel refuses to map
// more.

// reserved has the ranges that can be released.
var reserved reservation

type reservation struct {
	mu       sync.Mutex
	held     amount        // mapped or empty, not released, and not pinned
	kept     amount        // the part of held from before the last collection
	begun    uint64        // collections ever begun
	running  chan struct{} // closed when the running collection ends; nil if none is running
	revoked  uint64        // ranges ever emptied
	released uint64        // ranges ever released
	futile   futility
	limit    amount // what allowed returned
	since    amount // added since then
}

// An account is what a reservation notes about a range.
type account struct {
	held  bool   // the range counts in reservation.held
	begun uint64 // reservation.begun when the range was mapped or emptied; the range counts in kept if begun has changed
}

// An amount is a number of ranges and of their addresses.
type amount struct {
	bytes  uint64
	ranges int
}

func (a amount) plus(b amount) amount  { return amount{a.bytes + b.bytes, a.ranges + b.ranges} }
func (a amount) minus(b amount) amount { return amount{a.bytes - b.bytes, a.ranges - b.ranges} }

// exceeds reports whether a is more than b in bytes or in ranges.
func (a amount) exceeds(b amount) bool { return a.bytes > b.bytes || a.ranges > b.ranges }

// futility describes the last collection that made no room for a mapping.
type futility struct {
	when    time.Time
	revoked uint64 // reservation.revoked at that time
}

// add notes that a range has been mapped, or become empty. If there are more other new
// ranges since the last collection than allowed, add starts a collection. If there are
// twice as many, add waits for its end: the heap needs addresses too, and Go ends the
// process when it gets none.
//
// Ranges that a collection leaves are in use, and no reason for another collection. An
// emptied range counts as new again, because its handle will probably become
// unreachable soon.
func (r *reservation) add(m *Mapping) {
	r.mu.Lock()
	r.drop(m)
	r.updateLimit(m.amount())
	limit, others := r.limit, r.held.minus(r.kept)
	due := others.exceeds(limit)
	wait := due && (r.running != nil || others.exceeds(limit.plus(limit)))
	if due && r.running == nil {
		go r.collect(r.kept.ranges)
		r.kept = r.held
		r.begun++
		r.running = make(chan struct{})
	}
	if m.empty.Load() {
		r.revoked++
	}
	if !m.pinned.Load() {
		m.place.account = account{true, r.begun}
		r.held = r.held.plus(m.amount())
	}
	running := r.running
	r.mu.Unlock()
	if wait {
		<-running
	}
}

// updateLimit looks at what is allowed, unless little has been added since the last look:
// the limit on addresses, or how many of them the rest of the process uses, may have
// changed.
func (r *reservation) updateLimit(more amount) {
	r.since = r.since.plus(more)
	if r.limit == (amount{}) || r.since.exceeds(amount{min(r.limit.bytes/16, 1<<30), 32}) {
		r.limit, r.since = allowed(r.held.bytes), amount{}
	}
}

// pinned notes that a range will never be released.
func (r *reservation) pinned(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(m)
}

// remove notes that a range has been released.
func (r *reservation) remove(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(m)
	r.released++
}

// drop takes a range out of the accounts, if it is in them.
func (r *reservation) drop(m *Mapping) {
	if !m.place.held {
		return
	}
	r.held = r.held.minus(m.amount())
	if m.place.begun != r.begun {
		r.kept = r.kept.minus(m.amount())
	}
	m.place.held = false
}

func (m *Mapping) amount() amount { return amount{uint64(m.length), 1} }

// collect runs the garbage collector and waits for the cleanups that release ranges. It
// stops when no more ranges are left than the previous collection left, or when no
// more are released.
func (r *reservation) collect(before int) {
	const patience = 10 * time.Millisecond
	runtime.GC()
	for {
		r.mu.Lock()
		seen, left := r.released, r.kept.ranges
		r.mu.Unlock()
		if left <= before || r.awaitRelease(seen, patience) == seen {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.running)
	r.running = nil
}

// awaitRelease waits until the number of released ranges differs from was, or patience
// is over, and returns the number. Cleanups run some time after a collection.
func (r *reservation) awaitRelease(was uint64, patience time.Duration) (released uint64) {
	pause := 10 * time.Microsecond
	for end := time.Now().Add(patience); ; pause = min(2*pause, time.Millisecond) {
		r.mu.Lock()
		released = r.released
		r.mu.Unlock()
		if released != was || time.Now().After(end) {
			return released
		}
		time.Sleep(pause)
	}
}

// retry calls try. If try fails because addresses or entries are missing, retry collects
// garbage, and calls try again as long as ranges are released.
func (r *reservation) retry(try func() error) error {
	const patience, longest = 50 * time.Millisecond, time.Second
	err := try()
	if !isFull(err) || r.isFutile() {
		return err
	}
	r.mu.Lock()
	seen := r.released
	r.mu.Unlock()
	runtime.GC()
	for end := time.Now().Add(longest); ; {
		if err = try(); !isFull(err) {
			return err
		}
		now := r.awaitRelease(seen, patience)
		if now == seen || time.Now().After(end) {
			break
		}
		seen = now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.futile = futility{time.Now(), r.revoked}
	return err
}

// isFutile reports whether another collection would be useless, because the last one
// made no room a moment ago and no range was revoked since. Other processes may have
// made many files that are too large to map.
func (r *reservation) isFutile() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.futile.revoked == r.revoked && time.Since(r.futile.when) < 100*time.Millisecond
}
