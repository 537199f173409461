package manager

import (
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A lease that another process has does not hold up the keeper, and when it has
// ended the segment is seen to be in use.
func TestLeasedSegmentIsMappedLater(t *testing.T) {
	if works, err := shmfile.HasLeases(); !works || err != nil {
		t.Skip("the kernel grants no leases: ", err)
	}
	k, _ := startKeeperScanning(t, 10*time.Millisecond)
	name := testkit.Name(t)
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
