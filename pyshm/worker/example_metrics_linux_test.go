package worker_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/worker"
)

// A handler that gives the figures of a pool to Prometheus:
//
//	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
//		writeMetrics(w, pool.Stats())
//	})
func ExamplePool_Stats() {
	var pool *worker.Pool // of worker.Start
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		writeMetrics(w, pool.Stats())
	})

	writeMetrics(os.Stdout, worker.Stats{Workers: 2, Calls: 7, P50: 20 * time.Microsecond})
	// Output:
	// worker_up 2
	// worker_busy 0
	// worker_queue_length 0
	// worker_calls_total 7
	// worker_exceptions_total 0
	// worker_crashes_total 0
	// worker_restarts_total 0
	// worker_call_seconds{quantile="0.5"} 2e-05
	// worker_call_seconds{quantile="0.99"} 0
}

func writeMetrics(w io.Writer, s worker.Stats) {
	fmt.Fprintf(w, "worker_up %d\nworker_busy %d\nworker_queue_length %d\n", s.Workers, s.Busy, s.Queued)
	fmt.Fprintf(w, "worker_calls_total %d\nworker_exceptions_total %d\n", s.Calls, s.Exceptions)
	fmt.Fprintf(w, "worker_crashes_total %d\nworker_restarts_total %d\n", s.Crashes, s.Restarts)
	fmt.Fprintf(w, "worker_call_seconds{quantile=\"0.5\"} %g\n", s.P50.Seconds())
	fmt.Fprintf(w, "worker_call_seconds{quantile=\"0.99\"} %g\n", s.P99.Seconds())
}
