//go:build !posixshm

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A queueWorker is a process, in Go or Python, that puts items into a queue and at the same
// time gets items until None comes. Item i of a producer is (producer, i, padding), and
// every hundredth is larger than a pipe. The board, a block, has a byte for each item,
// which counts how often it was gotten, and a last byte, which is set if items of one
// producer came out of order.
type queueWorker struct {
	Queue    string
	MaxSize  int
	Board    string
	Producer int
	Items    int // that the worker puts
	Each     int // that every producer puts
}

const (
	smallItem = 10
	largeItem = 70_000
)

// queueWorkerScript is the same in Python. It does not attach to the board by name, which
// would start a resource tracker.
const queueWorkerScript = `
import json, mmap, os, sys, threading
from pyshm_attach import attach_queue
job = json.loads(sys.argv[1])
q, each, producer = attach_queue(job["Queue"], job["MaxSize"]), job["Each"], job["Producer"]
board = mmap.mmap(os.open("/dev/shm/" + job["Board"], os.O_RDWR), 0)
def produce():
    for i in range(job["Items"]):
        q.put((producer, i, b"x" * (70000 if i % 100 == 99 else 10)))
thread = threading.Thread(target=produce)
thread.start()
last = {}
for p, i, padding in iter(q.get, None):
    board[p * each + i] += 1
    if i <= last.get(p, -1) or len(padding) != (70000 if i % 100 == 99 else 10):
        board[-1] = 1
    last[p] = i
thread.join()
`

func init() {
	testkit.Roles["queue worker"] = func(args []string, _ <-chan string) error {
		var w queueWorker
		if err := json.Unmarshal([]byte(args[0]), &w); err != nil {
			return err
		}
		return w.run()
	}
}

func (w queueWorker) run() error {
	q, err := pyshm.AttachQueue(w.Queue, w.MaxSize)
	if err != nil {
		return err
	}
	m, err := pyshm.Attach(w.Board)
	if err != nil {
		return err
	}
	produced := make(chan error)
	go func() { produced <- w.produce(q) }()
	return errors.Join(w.consume(q, m.Bytes()), <-produced)
}

func (w queueWorker) produce(q *pyshm.Queue) error {
	for i := range w.Items {
		size := smallItem
		if i%100 == 99 {
			size = largeItem
		}
		if err := q.Put(context.Background(), pickle.Tuple{w.Producer, i, make([]byte, size)}); err != nil {
			return err
		}
	}
	return nil
}

func (w queueWorker) consume(q *pyshm.Queue, board []byte) error {
	last := map[int64]int64{}
	for {
		v, err := q.Get(context.Background())
		if v == nil || err != nil {
			return err
		}
		item := v.(pickle.Tuple)
		p, i := item[0].(int64), item[1].(int64)
		board[int(p)*w.Each+int(i)]++
		if before, ok := last[p]; ok && i <= before {
			board[len(board)-1] = 1
		}
		last[p] = i
	}
}

// A queueField has a queue, a board, and processes that use both.
type queueField struct {
	t       *testing.T
	job     queueWorker
	q       *pyshm.Queue
	board   []byte
	helper  string // folder of pyshm_attach.py
	workers []*exec.Cmd
}

func newQueueField(t *testing.T, maxsize, producers, each int) *queueField {
	t.Helper()
	f := &queueField{t: t, helper: testkit.HelperDir(t)}
	f.q = must(pyshm.CreateQueue(testkit.Name(t), maxsize))(t)
	t.Cleanup(func() { f.q.Unlink(); f.q.Close() })
	block := must(pyshm.Create(testkit.Name(t), producers*each+1))(t)
	t.Cleanup(func() { block.Unlink(); block.Close() })
	f.board = block.Bytes()
	f.job = queueWorker{Queue: f.q.Name(), MaxSize: maxsize, Board: block.Name(), Each: each}
	return f
}

// start starts a worker that puts so many items: in Go if py is nil, else in Python.
func (f *queueField) start(py *compat.Interpreter, producer, items int) {
	f.t.Helper()
	w := f.job
	w.Producer, w.Items = producer, items
	job := string(must(json.Marshal(w))(f.t))
	cmd := testkit.Command(f.t, "queue worker", job)
	if py != nil {
		cmd = exec.CommandContext(f.t.Context(), py.Path, "-c", queueWorkerScript, job)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+f.helper, "PYTHONDONTWRITEBYTECODE=")
	}
	cmd.Stderr = os.Stderr
	check(f.t, cmd.Start())
	f.workers = append(f.workers, cmd)
}

// gotten returns how many of the items have been gotten, and fails the test if one came
// twice.
func (f *queueField) gotten() (n int) {
	for i := range f.board[:len(f.board)-1] {
		switch count := f.board[i]; {
		case count > 1:
			f.t.Fatalf("item %d of producer %d came %d times", i%f.job.Each, i/f.job.Each, count)
		case count == 1:
			n++
		}
	}
	return n
}

// end has the workers end, and waits for them.
func (f *queueField) end() {
	f.t.Helper()
	for range f.workers {
		check(f.t, f.q.Put(within(f.t, testkit.Patience), nil))
	}
	for _, w := range f.workers {
		if err := w.Wait(); err != nil {
			f.t.Errorf("%v: %v", w.Path, err)
		}
	}
	if f.board[len(f.board)-1] != 0 {
		f.t.Error("items of one producer came out of order")
	}
}

// TestQueueOfAll has three Go processes and every Python put into one queue and get from
// it. No item is lost, none comes twice, and the items of each producer come in order.
func TestQueueOfAll(t *testing.T) {
	t.Parallel()
	const goProcesses = 3
	pythons := must(compat.Find(t.Context()))(t)
	producers := goProcesses + len(pythons)
	each := soak.Length(3000, 100_000)/producers + 1
	f := newQueueField(t, 50, producers, each)
	began := time.Now()
	for producer := range producers {
		if producer < goProcesses {
			f.start(nil, producer, each)
		} else {
			f.start(&pythons[producer-goProcesses], producer, each)
		}
	}
	total := producers * each
	for before, progress := 0, time.Now(); ; time.Sleep(20 * time.Millisecond) {
		n := f.gotten()
		if n == total {
			break
		}
		if n > before {
			before, progress = n, time.Now()
		}
		if time.Since(progress) > testkit.Patience {
			t.Fatalf("%d items of %d, and no more; %v", n, total, f.q.Check(t.Context()))
		}
	}
	f.end()
	wantEqual(t, "items left", must(f.q.Len())(t), 0)
	t.Logf("%d items by %d processes in %v", total, producers, time.Since(began))
}

// TestQueueSurvivesKills kills processes that get, at random, again and again. Each kill
// costs at most the one item that the process had in its hands. When a killed process has
// kept the lock, Reset has the queue go on.
func TestQueueSurvivesKills(t *testing.T) {
	t.Parallel()
	const batch = 300 // items for each kill; the last are for no kill, so that all is well in the end
	pythons := must(compat.Find(t.Context()))(t)
	random := soak.Rand(soak.Seed(t), 0)
	kills := soak.Length(4, batch-100)
	f := newQueueField(t, 1000, kills+1, batch)
	next, resets := 0, 0
	start := func() {
		if next++; next%2 == 0 {
			f.start(nil, 0, 0)
		} else {
			f.start(&pythons[random.IntN(len(pythons))], 0, 0)
		}
	}
	for range 3 {
		start()
	}
	for step := range kills + 1 {
		producer := f.job
		producer.Producer, producer.Items = step, batch
		produced := make(chan error, 1)
		go func() { produced <- producer.produce(f.q) }()
		if step < kills {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
			victim := random.IntN(len(f.workers))
			w := f.workers[victim]
			check(t, w.Process.Kill())
			_ = w.Wait()
			f.workers = slices.Delete(f.workers, victim, victim+1)
			start()
		}
		for end := time.Now().Add(3 * testkit.Patience); len(produced) == 0 || f.gotten() < (step+1)*batch-kills; time.Sleep(5 * time.Millisecond) {
			if err := f.q.Check(t.Context()); errors.Is(err, pyshm.ErrStuck) {
				check(t, f.q.Reset(t.Context()))
				resets++
			}
			if time.Now().After(end) {
				t.Fatalf("step %d: no progress after %d items: %v", step, f.gotten(), f.q.Check(t.Context()))
			}
		}
		check(t, <-produced)
	}
	f.end()
	lost := len(f.board) - 1 - f.gotten()
	if lost > kills {
		t.Errorf("%d items are lost by %d kills", lost, kills)
	}
	t.Logf("%d kills, %d resets, %d items, %d lost", kills, resets, len(f.board)-1, lost)
}
