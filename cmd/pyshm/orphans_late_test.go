package main

import (
	"errors"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A process that attaches while pyshm asks keeps the name.
func TestOrphanAttachedAfterListing(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t)
	m, err := pyshm.Create(name, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Unlink()
	m.Close()
	orphan := listed(t, name)
	if !orphan.isOrphan() {
		t.Fatalf("mapped by %v", orphan.mapped)
	}
	if m, err = pyshm.Attach(name); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := removeOrphans([]segment{orphan}); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("attached: %v", err)
	}
	if now := listed(t, name); len(now.Pids) != 1 {
		t.Errorf("mapped by %v", now.mapped)
	}
	other, err := pyshm.Create(name, 64, pyshm.Replace())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Unlink()
	other.Close()
	if err := removeOrphans([]segment{orphan}); err != nil {
		t.Errorf("replaced: %v", err)
	}
	listed(t, name)
}

func listed(t *testing.T, name string) segment {
	t.Helper()
	segments, err := listSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		if s.found.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not listed", name)
	return segment{}
}
