package pyshm_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// BenchmarkRing publishes a frame and reads it, with one copy each.
func BenchmarkRing(b *testing.B) {
	for _, size := range []int{8, 4 << 10, 1920 * 1080 * 3} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := createRing[uint8](b, 4, size)
			reader := attachRing[uint8](b, r.Name(), pyshm.ReadOnly())
			src, dst := make([]uint8, size), make([]uint8, size)
			publish := func(frame []uint8) error {
				copy(frame, src)
				return nil
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				n, err := r.Publish(publish)
				noError(b, err)
				if got, err := reader.Newest(dst); got != n || err != nil {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// BenchmarkRingNext is the time from Publish until Next returns, with a semaphore and
// without one. The writer pauses for a millisecond before each frame.
func BenchmarkRingNext(b *testing.B) {
	for _, signalled := range []bool{true, false} {
		b.Run(fmt.Sprint("signalled=", signalled), func(b *testing.B) {
			r := createRing[int64](b, 4, 512)
			reader := attachRing[int64](b, r.Name())
			if signalled {
				s := keep[*pyshm.Semaphore](b)(pyshm.CreateBoundedSemaphore(testkit.Name(b), 1))
				r.SignalTo(s)
				reader.WaitOn(s)
			}
			begun := time.Now()
			go func() {
				for range b.N {
					time.Sleep(time.Millisecond)
					r.Publish(fill(int64(time.Since(begun))))
				}
			}()
			dst := make([]int64, 512)
			var late time.Duration
			frames := 0
			for n := uint64(0); n < uint64(b.N); frames++ {
				var err error
				if n, err = reader.Next(b.Context(), n, dst); err != nil {
					b.Fatal(err)
				}
				late += time.Since(begun) - time.Duration(dst[0])
			}
			b.ReportMetric(float64(late.Microseconds())/float64(frames), "µs/wake")
		})
	}
}
