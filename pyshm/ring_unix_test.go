//go:build unix

package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestRingNextSleeps measures the time on processors while Next waits in vain.
func TestRingNextSleeps(t *testing.T) {
	testkit.NeedKeptNames(t)
	used := func() time.Duration {
		var u syscall.Rusage
		noError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for _, signalled := range []bool{false, true} {
		t.Run(fmt.Sprint("signalled=", signalled), func(t *testing.T) {
			r := createRing[uint64](t, 3)
			if signalled {
				r.WaitOn(createSemaphore(t, 0))
			}
			const wait = 500 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			before := used()
			if n, err := r.Next(ctx, 0, make([]uint64, 1)); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Next = %d, %v", n, err)
			}
			if took := used() - before; took > wait/4 {
				t.Errorf("Next took %v of a processor in %v", took, wait)
			}
		})
	}
}
