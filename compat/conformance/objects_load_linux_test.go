//go:build !posixshm

package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// forOneOrEach runs a test on the preferred interpreter, and in a soak on each.
func forOneOrEach(t *testing.T, f func(t *testing.T, py compat.Interpreter)) {
	if soak.Length(0, 100) == 0 {
		f(t, testkit.Python(t))
		return
	}
	compat.ForEach(t, f)
}

// Many clients in Go at one queue of Python, each with a thread in Python's server. Items
// are neither lost nor doubled.
func TestManyClientsOfPythonQueue(t *testing.T) {
	const rounds = 5
	clients := soak.Length(20, 1000)
	forOneOrEach(t, func(t *testing.T, py compat.Interpreter) {
		p := startObjects(t, py)
		client := serveObjects(t, p, "None")
		ctx := within(t, 3*testkit.Patience)
		seen := make(chan int64, clients*rounds)
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				q, err := client.New(ctx, "get_queue")
				if err != nil {
					t.Error(err)
					return
				}
				defer func() {
					if err := q.Close(); err != nil {
						t.Error(err)
					}
				}()
				for r := range rounds {
					_, putErr := q.Call(ctx, "put", c*rounds+r)
					v, err := q.Call(ctx, "get")
					n, ok := v.(int64)
					if putErr != nil || err != nil || !ok {
						t.Error(putErr, v, err)
						return
					}
					seen <- n
				}
			})
		}
		all.Wait()
		wantEachOnce(t, seen, clients*rounds, 0)
		wantEqual(t, "left", must(p.Eval("[jobs.qsize(), server.number_of_objects(None)]"))(t), any([]any{int64(0), int64(0)}))
	})
}

// wantEachOnce reads numbers below n, of which each has to be there once. Some may be
// missing.
func wantEachOnce(t *testing.T, seen chan int64, n, missing int) {
	t.Helper()
	close(seen)
	times := map[int64]int{}
	for v := range seen {
		if times[v]++; times[v] > 1 {
			t.Errorf("item %d was received %d times", v, times[v])
		}
	}
	if len(times) < n-missing || len(times) > n {
		t.Errorf("%d items of %d", len(times), n)
	}
}

// Workers in Python, which take jobs from Go and put them into a second queue, are killed
// at any moment. A killed worker loses the job that it had in its hands at most: none if it
// was waiting for one.
func TestKilledClientsOfGoQueue(t *testing.T) {
	kills, seed := soak.Length(6, 200), soak.Seed(t)
	forOneOrEach(t, func(t *testing.T, py compat.Interpreter) {
		m, jobs, results := startObjectServer(t, ""), manager.NewQueue(0), manager.NewQueue(0)
		m.Register("jobs", func(context.Context, []any) (any, error) { return jobs, nil })
		m.Register("results", func(context.Context, []any) (any, error) { return results, nil })
		p := startObjects(t, py)
		check(t, p.Exec(fmt.Sprintf(`
import random
class Queues(BaseManager): pass
Queues.register('jobs')
Queues.register('results')
queues = Queues(%s, b'the key of the tests')
queues.connect()
jobs, results = queues.jobs(), queues.results()
def work():
    for job in iter(jobs.get, None):
        results.put(job)
def worker():
    process = multiprocessing.get_context('fork').Process(target=work)
    process.start()
    return process
def kill_workers(kills, seed):
    pauses = random.Random(seed)
    for _ in range(kills):
        process = worker()
        time.sleep(pauses.random() * 0.02)
        process.kill()
        process.join()
`, m.PythonAddress())))
		ctx := within(t, testkit.Patience+time.Duration(kills)*time.Second)
		done := make(chan error, 1)
		go func() { done <- p.Exec(fmt.Sprintf("kill_workers(%d, %d)", kills, seed>>1)) }()
		n := 0
		for working := true; working; n++ {
			check(t, jobs.Put(ctx, n))
			select {
			case err := <-done:
				check(t, err)
				working = false
			case <-time.After(500 * time.Microsecond):
			}
		}
		check(t, jobs.Put(ctx, nil))
		check(t, p.Exec("last = worker()\nlast.join()"))
		seen := make(chan int64, n)
		for results.Len() > 0 {
			seen <- must(results.Get(ctx))(t).(int64)
		}
		wantEachOnce(t, seen, n, kills)

		// Nobody works on these while the workers wait that are killed.
		check(t, p.Exec("idle = [worker() for _ in range(3)]\ntime.sleep(0.1)\nfor w in idle: w.kill(), w.join()"))
		seen = make(chan int64, 3)
		for i := range 3 {
			check(t, jobs.Put(ctx, i))
		}
		for range 3 {
			seen <- must(jobs.Get(ctx))(t).(int64)
		}
		wantEachOnce(t, seen, 3, 0)
	})
}

// A server in Python is killed while clients in Go wait in it.
func TestKilledServerOfPythonQueue(t *testing.T) {
	forOneOrEach(t, func(t *testing.T, py compat.Interpreter) {
		p := startObjects(t, py)
		client := serveObjects(t, p, "None")
		ctx := within(t, testkit.Patience)
		q := must(client.New(ctx, "get_queue"))(t)
		pinned := must(q.Pin(ctx))(t)
		calls{t, q}.want(nil, "put", "x") // which join waits for
		calls{t, q}.want("x", "get")
		ended := make(chan error)
		for _, call := range []func() (any, error){
			func() (any, error) { return q.Call(ctx, "get") },
			func() (any, error) { return pinned.Call(ctx, "get") },
			func() (any, error) { return q.Call(ctx, "join") },
		} {
			go func() {
				_, err := call()
				ended <- err
			}()
		}
		time.Sleep(20 * time.Millisecond)
		check(t, syscall.Kill(p.Pid(), syscall.SIGKILL))
		for range 3 {
			if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("a call of a killed server: %v", err)
			}
		}
		testkit.Eventually(t, "the killed server refuses clients", func() bool {
			_, err := client.New(ctx, "get_queue")
			return errors.Is(err, syscall.ECONNREFUSED)
		})
		check(t, errors.Join(q.Close(), pinned.Close()))
	})
}
