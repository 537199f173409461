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

// Ranges that no handle leads to any more are released, although nothing else has
// the garbage collector run.
func TestRevokedRangesDoNotPileUp(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	type handle struct{ m *Mapping }
	f := testFile(t, 1)
	limit := allowed().ranges
	for i := range 8 * limit {
		m, err := Map(int(f.Fd()), 1, false)
		if err != nil {
			t.Fatal(err)
		}
		h := &handle{m}
		runtime.AddCleanup(h, func(m *Mapping) { m.Release() }, m)
		if err := h.m.Revoke(); err != nil {
			t.Fatal(err)
		}
		reserved.mu.Lock()
		held := reserved.held.ranges
		reserved.mu.Unlock()
		// A collection leaves alone what was closed while it ran, and a busy machine
		// may take its time for the cleanups.
		if held > 5*limit {
			t.Fatalf("%d ranges are held after %d", held, i)
		}
	}
}

// What handles still lead to is not collected for again and again.
func TestCollectionsArePaced(t *testing.T) {
	var r reservation
	before := forcedCollections()
	for range 3 {
		r.add(uintptr(allowed().bytes/2 + 1))
	}
	for end := time.Now().Add(10 * time.Second); r.collecting(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the collection does not end")
		}
	}
	for range 1000 {
		r.add(4096)
	}
	if n := forcedCollections() - before; n != 1 {
		t.Errorf("%d collections", n)
	}
	for range 3 {
		r.remove(uintptr(allowed().bytes/2+1), true)
	}
	if want := (amount{1000 * 4096, 1000}); r.held != want || r.kept.bytes > want.bytes || r.kept.ranges > want.ranges {
		t.Errorf("held %v, kept %v", r.held, r.kept)
	}
}

func (r *reservation) collecting() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running != nil
}

// A collection is for want of room alone, and not for each of many calls that it does
// not help.
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
	r.add(4096) // something is closed
	before := forcedCollections()
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
