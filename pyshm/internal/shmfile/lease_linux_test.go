//go:build !posixshm

package shmfile

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A lease ends with Close, though this process starts others all the while, each with copies
// of its descriptors at first.
func TestLeaseEndsWhileProcessesStart(t *testing.T) {
	name := testkit.Name(t)
	published(t, newUnnamed, "content", name)
	testkit.KeepStarting(t)
	leases := 0
	for range 5000 {
		f, err := Open(name, true)
		if err != nil {
			t.Fatalf("Open after %d leases: %v", leases, err)
		}
		// A process that starts may still have the file of the round before.
		if err := f.Lease(); err == nil {
			leases++
		} else if err != unix.EAGAIN {
			t.Fatal(err)
		}
		f.Close()
	}
	if leases == 0 {
		t.Error("never unused")
	}
}
