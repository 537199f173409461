//go:build !posixshm

package mapping

import (
	"errors"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// forcedCollections returns how many collections this process has asked for.
func forcedCollections() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumForcedGC
}

// Ranges without a handle are released, although nothing else starts the garbage
// collector.
func TestRangesDoNotPileUp(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	type handle struct{ m *Mapping }
	f := testFile(t, 1)
	limit := allowed(0).ranges
	for what, end := range map[string]func(*Mapping) error{
		"closed":    (*Mapping).Revoke,
		"forgotten": func(*Mapping) error { return nil },
	} {
		for i := range 8 * limit {
			m, err := Map(int(f.Fd()), 1, false)
			if err != nil {
				t.Fatal(err)
			}
			h := &handle{m}
			runtime.AddCleanup(h, func(m *Mapping) { m.Release() }, m)
			if err := end(h.m); err != nil {
				t.Fatal(err)
			}
			// A collection does not release ranges that were closed while it ran, and on
			// a busy machine the cleanups may be late.
			if held := reserved.amounts().held.ranges; held > 5*limit {
				t.Fatalf("%s: %d ranges are held after %d", what, held, i)
			}
		}
	}
}

// A process that keeps many mappings pays for one collection for each eighth of the
// room that they take, and for none when it replaces the last mapping by another.
func TestKeptRangesAreNotCollectedFor(t *testing.T) {
	var r reservation
	limit := allowed(0).ranges
	var live []*Mapping
	add := func() {
		live = append(live, &Mapping{length: 4096})
		r.add(live[len(live)-1])
		r.awaitCollection(t)
	}
	before := forcedCollections()
	for range 4*limit + 1 {
		add()
	}
	if n := forcedCollections() - before; n != 3 {
		t.Errorf("%d collections for the first half of the room", n)
	}
	for range 4 * limit {
		r.remove(live[len(live)-1])
		live = live[:len(live)-1]
		add()
	}
	if n := forcedCollections() - before; n != 3 {
		t.Errorf("%d collections after the last was replaced", n)
	}
	for _, m := range live {
		r.remove(m)
	}
	r.checkEmpty(t)
}

// A range larger than the allowed amount may be in use, too.
func TestLargeRangeIsNotCollectedForAgain(t *testing.T) {
	var r reservation
	before := forcedCollections()
	large := &Mapping{length: uintptr(allowed(0).bytes*2 + 1)}
	add := func(m *Mapping) {
		r.add(m)
		r.awaitCollection(t)
	}
	add(large)
	if n := forcedCollections() - before; n != 0 {
		t.Errorf("%d collections for the range that is being mapped", n)
	}
	for range 1000 {
		m := &Mapping{length: 4096}
		add(m)
		m.empty.Store(true)
		add(m)
		r.remove(m)
	}
	if n := forcedCollections() - before; n != 1 {
		t.Errorf("%d collections beside it", n)
	}
	large.empty.Store(true)
	add(large)
	if n := forcedCollections() - before; n != 1 {
		t.Errorf("%d collections for the range that is being closed", n)
	}
	add(&Mapping{length: 4096})
	if n := forcedCollections() - before; n != 2 {
		t.Errorf("%d collections after it was closed", n)
	}
}

// Ranges that will never be released, that were released, or that were never added, do
// not count.
func TestPinnedRangeIsNotHeld(t *testing.T) {
	var r reservation
	first, second, third := &Mapping{length: 1 << 20}, &Mapping{length: 1 << 12}, &Mapping{length: 1 << 14}
	r.add(first)
	r.add(second)
	r.pinned(first)
	r.pinned(first)
	third.pinned.Store(true) // while it was being closed
	r.add(third)
	if got := r.amounts(); got.held != (amount{1 << 12, 1}) || got.kept != (amount{}) {
		t.Errorf("held and kept: %v", got)
	}
	r.remove(second)
	r.remove(third)
	r.checkEmpty(t)

	m := testMap(t, 100)
	held := reserved.amounts().held.ranges
	m.Pin()
	if got := reserved.amounts().held.ranges; got != held-1 {
		t.Errorf("%d ranges are held, and %d after one of them is pinned", held, got)
	}
}

func (r *reservation) amounts() (a struct{ held, kept amount }) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.held, a.kept = r.held, r.kept
	return a
}

func (r *reservation) checkEmpty(t *testing.T) {
	t.Helper()
	if got := r.amounts(); got.held != (amount{}) || got.kept != (amount{}) {
		t.Errorf("held and kept: %v", got)
	}
}

// awaitCollection waits until no collection is running.
func (r *reservation) awaitCollection(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); r.collecting(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the collection does not end")
		}
	}
}

func (r *reservation) collecting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running != nil
}

// retry collects only if there is no room, and not for each of many calls that a
// collection does not help.
func TestRetry(t *testing.T) {
	var r reservation
	calls := 0
	try := func(errs ...error) error {
		calls = 0
		return r.retry(func() error {
			calls++
			return errs[min(calls, len(errs))-1]
		})
	}
	for _, test := range []struct {
		name        string
		errs        []error
		want        error
		collections uint32
	}{
		{"success", []error{nil}, nil, 0},
		{"another error", []error{unix.EACCES}, unix.EACCES, 0},
		{"a collection helps", []error{unix.ENOMEM, nil}, nil, 1},
		{"another error then", []error{unix.ENOMEM, unix.EPERM}, unix.EPERM, 1},
		{"no collection helps", []error{unix.ENOMEM}, unix.ENOMEM, 1},
		{"at once again", []error{unix.ENOMEM}, unix.ENOMEM, 0},
	} {
		if test.name == "at once again" {
			r.futile.when = time.Now().Add(time.Hour) // however slow the machine is
		}
		before := forcedCollections()
		if err := try(test.errs...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if n := forcedCollections() - before; n != test.collections {
			t.Errorf("%s: %d collections, want %d", test.name, n, test.collections)
		}
	}
	before := forcedCollections()
	m := &Mapping{length: 4096}
	r.add(m)
	if err := try(unix.ENOMEM); err != unix.ENOMEM || forcedCollections() != before {
		t.Errorf("after another mapping: %v, %d collections", err, forcedCollections()-before)
	}
	m.empty.Store(true) // it is closed
	r.add(m)
	if err := try(unix.ENOMEM); err != unix.ENOMEM || forcedCollections() != before+1 {
		t.Errorf("after a Close: %v, %d collections", err, forcedCollections()-before)
	}
}

func TestEntryBudget(t *testing.T) {
	used, err := countEntries()
	if err != nil || used < 10 {
		t.Fatalf("%d entries, %v", used, err)
	}
	var b entryBudget
	if err := b.take(); err != nil || b.left < 63 || b.left > maxEntries()/8 {
		t.Errorf("%v, %d are left", err, b.left)
	}
	left := b.left
	b.part()
	if err := b.take(); err != nil || b.left != left-2 {
		t.Errorf("%v, %d are left of %d", err, b.left, left)
	}
}
