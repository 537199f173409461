//go:build unix

package lifetime

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// BenchmarkTrackRelease has Go clients track and release segments, by turns at a Go
// manager and at Python's server, over unix sockets. Each of the two requests takes a
// connection and a handshake. The benchmark reports the median time for both requests
// together, the segments a second, and how many times more the Go manager handles.
func BenchmarkTrackRelease(b *testing.B) {
	found, err := compat.Find(b.Context())
	check(b, err)
	for _, py := range found {
		for _, clients := range []int{1, 8} {
			b.Run(fmt.Sprintf("%v/clients=%d", py, clients), func(b *testing.B) {
				m, _ := startManager(b, "")
				python := startPythonServer(b, py, "None")
				var inGo, inPython measured
				for b.Loop() {
					inGo.trackRelease(b, manager.NewClient(m.Address(), authkey), clients)
					inPython.trackRelease(b, python.client, clients)
				}
				b.ReportMetric(0, "ns/op") // of both together
				b.ReportMetric(inGo.median(), "µs(Go)")
				b.ReportMetric(inPython.median(), "µs(Python)")
				b.ReportMetric(inGo.throughput(), "per-s(Go)")
				b.ReportMetric(inPython.throughput(), "per-s(Python)")
				b.ReportMetric(inGo.throughput()/inPython.throughput(), "times")
			})
		}
	}
}

// A measured server has tracked and released segments.
type measured struct {
	each []time.Duration // for one segment
	all  time.Duration
}

// trackRelease has some clients work at the same time, each on a segment.
func (m *measured) trackRelease(b *testing.B, client *manager.Client, clients int) {
	took := make([]time.Duration, clients)
	names := make([]string, clients)
	for i := range names {
		names[i] = testkit.Name(b)
		check(b, os.WriteFile("/dev/shm/"+names[i], make([]byte, 8), 0o600))
	}
	var wg sync.WaitGroup
	begin := time.Now()
	for i, name := range names {
		wg.Go(func() {
			start := time.Now()
			if err := client.Track(b.Context(), name); err != nil {
				b.Error(err)
			}
			if err := client.Release(b.Context(), name); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(start)
		})
	}
	wg.Wait()
	m.all += time.Since(begin)
	m.each = append(m.each, took...)
}

// median returns microseconds for one segment.
func (m *measured) median() float64 {
	slices.Sort(m.each)
	return float64(m.each[len(m.each)/2]) / float64(time.Microsecond)
}

// throughput returns segments a second.
func (m *measured) throughput() float64 { return float64(len(m.each)) / m.all.Seconds() }
