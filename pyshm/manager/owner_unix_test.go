//go:build unix

package manager

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// Two owners of one name would undo each other's release.
func TestOneOwner(t *testing.T) {
	a, _ := startKeeperScanning(t, never)
	b, log := startKeeperScanning(t, never)
	name, o := tracked(t, a)
	if err := b.track(name, true); !errors.Is(err, ErrOwned) {
		t.Errorf("tracked by another, too: %v", err)
	}
	if n := o.links(t); n != 2 {
		t.Errorf("%d names", n)
	}
	// A client's request is granted, as in CPython.
	if err := b.track(name, false); err != nil || !strings.Contains(log.String(), "another manager or pyshm hold keeps the name") {
		t.Errorf("tracked for a client: %v\n%s", err, log)
	}
	if err := b.release(name); !errors.Is(err, ErrOwned) || !o.is(name) {
		t.Errorf("released by the other: %v, %t", err, o.is(name))
	}
	if err := b.track(name, false); err != nil {
		t.Fatal(err)
	}
	release(t, a, name)
	b.restoreAll()
	if n := o.links(t); n != 0 {
		t.Errorf("%d names after the owner's release", n)
	}
	// The next segment under the name has no owner yet.
	again := segment(t, name)
	testkit.Eventually(t, "held by the other", func() bool { return again.links(t) == 2 })
	release(t, b, name)
}

// The other keeper takes over when the owner drops the segment.
func TestNextOwner(t *testing.T) {
	a, _ := startKeeperScanning(t, never)
	b, log := startKeeperScanning(t, never)
	name, o := tracked(t, a)
	if err := b.track(name, false); err != nil {
		t.Fatal(err)
	}
	b.restoreAll()
	if n := o.links(t); n != 2 {
		t.Errorf("%d names", n)
	}
	if err := a.untrack(name); err != nil {
		t.Fatal(err)
	}
	b.restoreAll()
	if n := o.links(t); n != 2 {
		t.Errorf("%d names after the owner has let go\n%s", n, log)
	}
	unlink(t, name)
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
}

// A keeper that does not own the segment leaves it alone when it ends.
func TestEndOfAnotherThanTheOwner(t *testing.T) {
	a, _ := startKeeper(t)
	name, o := tracked(t, a)
	b, log := startKeeper(t)
	if err := b.track(name, false); err != nil {
		t.Fatal(err)
	}
	if err := b.close(); err != nil || !o.is(name) || !strings.Contains(log.String(), "segment not removed") {
		t.Errorf("closed: %v\n%s", err, log)
	}
}

// Each name of a segment has an owner of its own.
func TestOwnersOfAliases(t *testing.T) {
	a, _ := startKeeper(t)
	b, _ := startKeeper(t)
	name, o := tracked(t, a)
	aliases := []string{testkit.Name(t), testkit.Name(t)}
	for i, k := range []*keeper{a, b} {
		if err := shmfile.Link(name, aliases[i]); err != nil {
			t.Fatal(err)
		}
		track(t, k, aliases[i])
	}
	for _, name := range append(aliases, name) {
		unlink(t, name)
		testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	}
	for i, k := range []*keeper{a, b} {
		release(t, k, aliases[i])
	}
	a.restoreAll()
	b.restoreAll()
	if !missing(aliases[0]) || !missing(aliases[1]) || o.links(t) != 2 {
		t.Errorf("%d names", o.links(t))
	}
}

// A segment that may not be written to can be held, although not claimed.
func TestReadOnlySegmentIsHeld(t *testing.T) {
	k, _ := startKeeper(t)
	name := testkit.Name(t)
	o := segment(t, name)
	if err := os.Chmod(path(name), 0o400); err != nil {
		t.Fatal(err)
	}
	track(t, k, name)
	unlink(t, name)
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
}
