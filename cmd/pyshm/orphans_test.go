package main

import (
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// A new name of an old segment is young, and a forged time does not change that.
func TestYoungOrphans(t *testing.T) {
	now := time.Now()
	flags := orphanFlags{olderThan: time.Minute}
	for _, test := range []struct {
		modified, changed time.Duration
		young             bool
	}{
		{2 * time.Minute, 2 * time.Minute, false},
		{time.Minute, time.Minute, false},
		{2 * time.Minute, time.Second, true},
		{0, 2 * time.Minute, false},
		{-time.Hour, 2 * time.Minute, false},
		{-1 << 62, 2 * time.Minute, false},
	} {
		s := pyshm.Segment{Modified: now.Add(-test.modified), Changed: now.Add(-test.changed)}
		if got := flags.isYoung(s, now); got != test.young {
			t.Errorf("modified %v ago, changed %v ago: young is %v", test.modified, test.changed, got)
		}
	}
}
