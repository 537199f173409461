//go:build pyshm_posix

package manager

import (
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A name that is unlinked is gone, and the log says so. The segment that gets the name next
// is held.
func TestLostNameIsReported(t *testing.T) {
	k, log := startKeeperScanning(t, 5*time.Millisecond)
	name, o := tracked(t, k)
	unlink(t, name)
	testkit.Eventually(t, "log entry", func() bool { return strings.Contains(log.String(), `level=ERROR msg="segment lost`) })
	if n := o.links(t); n != 0 {
		t.Errorf("%d names", n)
	}
	next := segment(t, name)
	testkit.Eventually(t, "log entry", func() bool { return strings.Contains(log.String(), `msg="segment appeared"`) })
	if !next.is(name) {
		t.Error("the next segment has lost its name")
	}
	release(t, k, name)
	if !missing(name) {
		t.Error("the name is there after its release")
	}
}

// A segment that has taken a tracked name is not removed when the segment before is released
// first.
func TestReleaseLeavesTheNextSegment(t *testing.T) {
	k, _ := startKeeperScanning(t, never)
	name, _ := tracked(t, k)
	unlink(t, name)
	next := segment(t, name)
	release(t, k, name)
	if !next.is(name) {
		t.Error("the next segment has lost its name")
	}
	unlink(t, name)
}
