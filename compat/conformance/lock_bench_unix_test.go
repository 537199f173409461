//go:build unix

package conformance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

// These benchmarks measure the cost of a lock, in Go and beside it in Python. The Python
// is the first one found; $PYSHM_PYTHONS chooses another.

func benchLock(b *testing.B) *pyshm.Lock {
	b.Helper()
	l := must(pyshm.CreateLock(testkit.Name(b)))(b)
	b.Cleanup(func() { l.Unlink(); l.Close() })
	return l
}

func benchSemaphore(b *testing.B) *pyshm.Semaphore {
	b.Helper()
	s := must(pyshm.CreateSemaphore(testkit.Name(b), 0))(b)
	b.Cleanup(func() { s.Unlink(); s.Close() })
	return s
}

// benchPeer starts a Python that has pyshm_attach.
func benchPeer(b *testing.B) *compat.Peer {
	b.Helper()
	dir := b.TempDir()
	check(b, os.WriteFile(filepath.Join(dir, "pyshm_attach.py"), []byte(scripts.AttachHelper()), 0o600))
	p := start(b, testkit.Python(b), compat.Dir(dir), compat.Timeout(10*time.Minute))
	check(b, p.Exec("import statistics, threading, time\nfrom pyshm_attach import *"))
	return p
}

// BenchmarkLock acquires and releases a lock that no other process uses.
func BenchmarkLock(b *testing.B) {
	l := benchLock(b)
	b.ReportAllocs()
	ctx := context.Background()
	for b.Loop() {
		if l.Acquire(ctx) != nil || l.Release() != nil {
			b.Fatal("cannot acquire and release")
		}
	}
	p := benchPeer(b)
	check(b, p.Exec(fmt.Sprintf(`
lock = attach_lock(%q)
def measure(n=50000):
    began = time.perf_counter()
    for _ in range(n):
        lock.acquire()
        lock.release()
    return (time.perf_counter() - began) / n * 1e9
`, l.Name())))
	python := eval[float64](b, p, "statistics.median(measure() for _ in range(7))")
	b.ReportMetric(python, "python-ns/op")
	b.ReportMetric(python*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "python/go")
}

// BenchmarkHandover hands over to a Python that waits, and back, through two
// semaphores. Beside it, Python does the same with a child.
func BenchmarkHandover(b *testing.B) {
	ping, pong := benchSemaphore(b), benchSemaphore(b)
	answer := fmt.Sprintf(`
ping, pong = attach_semaphore(%q), attach_semaphore(%q)
def answer(n):
    for _ in range(n):
        ping.acquire()
        pong.release()
`, ping.Name(), pong.Name())
	p := benchPeer(b)
	check(b, p.Exec(answer))
	const rounds = 500
	var times []time.Duration
	for b.Loop() {
		done := later(p, fmt.Sprintf("answer(%d)", rounds))
		for range rounds {
			began := time.Now()
			check(b, ping.Release())
			check(b, pong.Acquire(context.Background()))
			times = append(times, time.Since(began))
		}
		check(b, <-done)
	}
	child := must(p.StartWorker("spawn"))(b)
	check(b, child.Exec("import sys; sys.path.insert(0, '')\nfrom pyshm_attach import *"+answer))
	check(b, p.Exec(fmt.Sprintf(`
times = []
def ask():
    for _ in range(%d):
        began = time.perf_counter()
        ping.release()
        pong.acquire()
        times.append(time.perf_counter() - began)
`, rounds)))
	// The child answers in a thread, because its requests go through its parent.
	check(b, child.Exec(fmt.Sprintf("import threading\nthreading.Thread(target=answer, args=(%d,)).start()", rounds)))
	check(b, p.Exec("ask()"))
	check(b, child.Close())
	report(b, times, "go-µs")
	b.ReportMetric(eval[float64](b, p, "statistics.median(times)")*1e6, "python-µs")
}

// BenchmarkCancel measures the time from the end of a context to the return of
// the Acquire that waits.
func BenchmarkCancel(b *testing.B) {
	l := benchLock(b)
	check(b, l.Acquire(b.Context()))
	var times []time.Duration
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		returned := make(chan time.Time)
		go func() {
			l.Acquire(ctx)
			returned <- time.Now()
		}()
		wantState(b, l, 0, 1)
		began := time.Now()
		cancel()
		times = append(times, (<-returned).Sub(began))
	}
	report(b, times, "median-µs")
}

// report reports the median as a metric, in microseconds.
func report(b *testing.B, times []time.Duration, unit string) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1000, unit)
	b.ReportMetric(0, "ns/op") // hides the time of the loop, which includes preparations
}

// BenchmarkGreedyGo has goroutines and a Python acquire and release one lock without a
// pause, in turns of 20 ms with and without the goroutines. "kept" is the part that
// Python keeps of the rate that it has alone.
func BenchmarkGreedyGo(b *testing.B) {
	for _, goroutines := range []int{1, 8} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			l := benchLock(b)
			block := must(pyshm.Create(testkit.Name(b), 8))(b)
			b.Cleanup(func() { block.Unlink(); block.Close() })
			p := benchPeer(b)
			check(b, p.Exec(fmt.Sprintf(greedyScript, l.Name(), block.Name())))
			phase := func(v byte) { must(block.WriteAt([]byte{v}, 0))(b) }
			done := later(p, "run()")
			for b.Loop() {
				phase(0)
				time.Sleep(20 * time.Millisecond)
				phase(1)
				beGreedy(b, l, goroutines, 20*time.Millisecond)
			}
			phase(2)
			check(b, <-done)
			alone, together := eval[float64](b, p, "rates[0]"), eval[float64](b, p, "rates[1]")
			b.ReportMetric(alone, "python-alone/s")
			b.ReportMetric(together, "python/s")
			b.ReportMetric(together/alone, "kept")
			b.ReportMetric(0, "ns/op")
			check(b, p.Exec("block.close()"))
		})
	}
}

// greedyScript counts by phase, and skips turns that begin in one phase and end in
// another.
const greedyScript = `
lock, block = attach_lock(%q), attach_block(%q)
rates = []
def run():
    count, spent = [0, 0], [0, 0]
    while True:
        phase = block.buf[0]
        if phase == 2:
            break
        began = time.perf_counter()
        for _ in range(50):
            lock.acquire()
            lock.release()
        if block.buf[0] == phase:
            count[phase] += 50
            spent[phase] += time.perf_counter() - began
    rates.extend(float(n / max(t, 1e-9)) for n, t in zip(count, spent))
`

func beGreedy(b *testing.B, l *pyshm.Lock, goroutines int, d time.Duration) {
	b.Helper()
	var stop atomic.Bool
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for !stop.Load() {
				if err := l.Acquire(context.Background()); err != nil {
					b.Error(err)
					return
				}
				if err := l.Release(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(d)
	stop.Store(true)
	all.Wait()
}
