package mapping

import (
	"errors"
	"math/bits"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A range that Revoke has emptied keeps its addresses until the garbage collector
// has found that nothing uses the handle any more. The collector goes by the heap,
// in which a handle of gigabytes is some hundred bytes. This file has it run when
// such ranges have become many, and when the kernel refuses to map more.

// reserved has the ranges that are empty and not released.
var reserved reservation

type reservation struct {
	mu       sync.Mutex
	held     amount        // empty, not released, and not pinned
	kept     amount        // of these, what the last collection has left
	running  chan struct{} // closed when the collection that is running ends; else nil
	revoked  uint64        // ranges ever added
	released uint64        // ranges ever released, empty or not
	futile   futility
}

// An amount of ranges of addresses.
type amount struct {
	bytes  uint64
	ranges int
}

// futility describes the last collection that made no room for a mapping.
type futility struct {
	when    time.Time
	revoked uint64 // as it was then
}

// allowed returns how much may be held before a collection is due: an eighth of the
// addresses and of the map's entries, of which there are 65530 by default.
func allowed() amount {
	space := uint64(1) << 38 // RISC-V's, the least of 64-bit systems
	switch {
	case bits.UintSize == 32:
		space = 1 << 31
	case runtime.GOARCH == "amd64":
		space = 1 << 47
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) == nil {
		space = min(space, limit.Cur)
	}
	return amount{space / 8, min(maxEntries()/8, 1<<13)}
}

// add notes that a range has become empty. If the others are more than is allowed it
// starts a collection, and waits for it where they are twice as many: the heap needs
// addresses too, and Go ends the process when it gets none.
func (r *reservation) add(length uintptr) {
	limit := allowed()
	r.mu.Lock()
	bytes, ranges := r.held.bytes-r.kept.bytes, r.held.ranges-r.kept.ranges
	r.revoked++
	r.held.bytes += uint64(length)
	r.held.ranges++
	if r.running == nil && (bytes > limit.bytes || ranges > limit.ranges) {
		r.running = make(chan struct{})
		go r.collect()
	}
	running := r.running
	r.mu.Unlock()
	if running != nil && (bytes > 2*limit.bytes || ranges > 2*limit.ranges) {
		<-running
	}
}

// remove notes that a range has been released, or never will be. It is one that add
// has been told of, if it is empty.
func (r *reservation) remove(length uintptr, empty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released++
	if empty {
		r.held.bytes -= uint64(length)
		r.held.ranges--
		r.kept = amount{min(r.kept.bytes, r.held.bytes), min(r.kept.ranges, r.held.ranges)}
	}
}

// collect has the garbage collector release what it can. What is left after that is
// held by handles that are still in use, which another collection would leave too.
func (r *reservation) collect() {
	const patience = 10 * time.Millisecond
	r.mu.Lock()
	seen := r.released
	all := seen + uint64(r.held.ranges) - 1 // the one that is being closed is in use
	r.mu.Unlock()
	runtime.GC()
	for seen < all {
		now := r.awaitRelease(seen, patience)
		if now == seen {
			break
		}
		seen = now
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = r.held
	close(r.running)
	r.running = nil
}

// awaitRelease waits until the number of released ranges is not what it was, for as
// long as patience lasts, and returns it: cleanups run some time after a collection.
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

// retry calls try. If that fails for want of addresses or entries, it collects
// garbage and tries again while this releases ranges.
func (r *reservation) retry(try func() error) error {
	const patience, longest = 50 * time.Millisecond, time.Second
	err := try()
	if !errors.Is(err, unix.ENOMEM) || r.isFutile() {
		return err
	}
	r.mu.Lock()
	seen := r.released
	r.mu.Unlock()
	runtime.GC()
	for end := time.Now().Add(longest); ; {
		if err = try(); !errors.Is(err, unix.ENOMEM) {
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

// isFutile reports whether to leave out a collection, because the last one has made
// no room a moment ago and nothing was closed since. Files of others may be too
// large to map, and there may be many.
func (r *reservation) isFutile() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.futile.revoked == r.revoked && time.Since(r.futile.when) < 100*time.Millisecond
}
