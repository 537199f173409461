//go:build !pyshm_posix

package manager

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// Another process's lease does not hold up the keeper. When the lease has ended, the
// segment counts as used.
func TestLeasedSegmentIsMappedLater(t *testing.T) {
	k, _ := startKeeperScanning(t, 10*time.Millisecond)
	name, f := leased(t)
	track(t, k, name)
	mapped := func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.holds[name].page != nil
	}
	if mapped() {
		t.Error("opened in spite of the lease")
	}
	f.Close()
	testkit.Eventually(t, "the segment is mapped", mapped)
}

// Two keepers hold a segment without a claim, because it was leased. The keeper that
// claims it later drops it.
func TestLeasedSegmentIsClaimedByAnother(t *testing.T) {
	a, logA := startKeeperScanning(t, never)
	b, logB := startKeeperScanning(t, never)
	name, f := leased(t)
	track(t, a, name)
	track(t, b, name)
	hidden := hiddenName(a, name)
	a.restoreAll()
	a.mu.Lock() // so that b is the first, whatever events a has yet to read
	f.Close()
	b.restoreAll()
	a.mu.Unlock()
	a.restoreAll()
	if !missing(hidden) || missing(name) || missing(hiddenName(b, name)) {
		t.Errorf("the later one is left with %q: %t, the segment is gone: %t", hidden, !missing(hidden), missing(name))
	}
	if !strings.Contains(logA.String(), "segment dropped: another manager owns it") || strings.Contains(logA.String()+logB.String(), "level=ERROR") {
		t.Errorf("logs:\n%s\n%s", logA, logB)
	}
	// a removes nothing of b's, and holds the segment when b has dropped it.
	if err := a.release(name); !errors.Is(err, ErrOwned) || missing(name) {
		t.Errorf("release by the later one: %v, the segment is gone: %t", err, missing(name))
	}
	if err := a.track(name, false); err != nil {
		t.Fatal(err)
	}
	if err := b.untrack(name); err != nil {
		t.Fatal(err)
	}
	a.restoreAll()
	if err := a.release(name); err != nil || !missing(name) {
		t.Errorf("release by the last one: %v, the segment is gone: %t", err, missing(name))
	}
}

// A hold that is dropped gives its claim back at once, though this process starts others
// all the while.
func TestDropWhileProcessesStart(t *testing.T) {
	name := testkit.Name(t)
	segment(t, name)
	defer shmfile.Unlink(name)
	testkit.KeepStarting(t)
	for range 3000 {
		h, err := newHold(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.drop(); err != nil {
			t.Fatal(err)
		}
	}
}

// leased makes a segment on which another process seems to have a lease, until the
// file is closed.
func leased(t *testing.T) (name string, f *shmfile.File) {
	t.Helper()
	if works, err := shmfile.HasLeases(); !works || err != nil {
		t.Skip("the kernel grants no leases: ", err)
	}
	name = testkit.Name(t)
	f, err := shmfile.New(0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	if err := f.Publish(name, false); err != nil {
		t.Fatal(err)
	}
	if err := f.Lease(); err != nil {
		t.Fatal(err)
	}
	return name, f
}
