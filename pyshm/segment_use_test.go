package pyshm

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/mappers"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A complete census can still miss a user of a segment: a process that only has it open,
// or a process in a sandbox with a memory of its own. The kernel misses none.
func TestKernelOverrulesCensus(t *testing.T) {
	testkit.NeedLinux(t)
	if works, err := shmfile.HasLeases(); !works || err != nil {
		t.Skip("the kernel grants no leases: ", err)
	}
	m, err := Create("", 64)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Unlink()
	defer m.Close()
	noProcess := func() (mappers.Snapshot, error) { return nil, nil }
	info, err := shmfile.Lookup(m.Name())
	if err != nil {
		t.Fatal(err)
	}
	s := newSegment(m.Name(), info, noProcess)
	wantInUse := func(what string) {
		t.Helper()
		if pids, err := s.Pids(); len(pids) > 0 || !errors.Is(err, syscall.EBUSY) {
			t.Errorf("%s: mapped by %v, %v", what, pids, err)
		}
		if err := s.unlinkUnused(noProcess); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("%s: unlinkUnused = %v", what, err)
		}
	}
	wantInUse("mapped")
	f, err := os.Open("/dev/shm/" + m.Name())
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	wantInUse("open")
	f.Close()
	if pids, err := s.Pids(); len(pids) > 0 || err != nil {
		t.Errorf("unused: mapped by %v, %v", pids, err)
	}
	if err := s.unlinkUnused(noProcess); err != nil {
		t.Errorf("unused: unlinkUnused = %v", err)
	}
}
