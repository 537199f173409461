//go:build !posixshm

package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// queueValues go through queues in both directions.
var queueValues = []any{
	nil, int64(-1 << 40), new(big.Int).Lsh(big.NewInt(1), 100), "h\u00e9llo", []any{int64(1), pickle.Tuple{}},
	bytes.Repeat([]byte("y"), 16384), bytes.Repeat([]byte("z"), 200_000),
}

// wantEchoOfQueue puts values into a queue that Python calls q. Python gets each and puts it
// back: in a thread, since a SimpleQueue's put waits for the reader of a large value.
func wantEchoOfQueue(t testing.TB, p *compat.Peer, q *pyshm.Queue) {
	t.Helper()
	ctx := within(t, testkit.Patience)
	for _, want := range queueValues {
		put := make(chan error)
		go func() { put <- q.Put(ctx, want) }() // a large one waits for Python
		check(t, p.Exec("threading.Thread(target=q.put, args=(q.get(),)).start()"))
		check(t, <-put)
		if got, err := q.Get(ctx); err != nil || !pickle.Equal(got, want) {
			t.Fatalf("%s, %v, want %s", pickle.Repr(got, 40), err, pickle.Repr(want, 40))
		}
	}
}

// attachParts attaches to a queue of Python's.
func attachParts(t testing.TB, p *compat.Peer, expression string) *pyshm.Queue {
	t.Helper()
	var parts pyshm.QueueParts
	check(t, json.Unmarshal([]byte(must(p.Eval("parts("+expression+")"))(t).(string)), &parts))
	q := must(pyshm.AttachQueueParts(parts))(t)
	t.Cleanup(func() { check(t, q.Close()) })
	return q
}

// Queues of Python, and queues of Go to which Python attaches, with every interpreter.
func TestQueue(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Queues)
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec("import fcntl, threading\nfrom pyshm_attach import attach_queue, parts\nspawn = multiprocessing.get_context('spawn')"))
		for _, kind := range []string{"Queue(5)", "JoinableQueue()", "SimpleQueue()"} {
			t.Run(kind, func(t *testing.T) { testPythonsQueue(t, p, kind) })
		}
		t.Run("fork", func(t *testing.T) {
			_, err := p.Eval("parts(multiprocessing.get_context('fork').Queue())")
			wantPythonError(t, err, "ValueError", "context fork")
		})
		for _, opts := range [][]pyshm.QueueOption{nil, {pyshm.Joinable()}} {
			t.Run(fmt.Sprint("Go's, options ", len(opts)), func(t *testing.T) { testGosQueue(t, p, opts...) })
		}
	})
}

func testPythonsQueue(t *testing.T, p *compat.Peer, kind string) {
	ctx := within(t, testkit.Patience)
	check(t, p.Exec("q = spawn."+kind+"\ndef flags(): return [fcntl.fcntl(end, fcntl.F_GETFL) & os.O_NONBLOCK for end in (q._reader, q._writer)]"))
	q := attachParts(t, p, "q")
	wantEchoOfQueue(t, p, q)
	wantEqual(t, "flags", must(p.Eval("flags()"))(t), any([]any{int64(0), int64(0)}))
	if kind == "SimpleQueue()" {
		if _, err := q.Len(); !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		return
	}
	check(t, p.Exec("q.put(1)\nq.put(2)"))
	wantEqual(t, "items", must(q.Len())(t), 2)
	for i := range int64(2) {
		wantEqual(t, "item", must(q.Get(ctx))(t), any(i+1))
	}
	wantEqual(t, "qsize", must(p.Eval("q.qsize()"))(t), any(int64(0)))
	if kind == "JoinableQueue()" {
		wantJoin(t, p, q, len(queueValues)*2+2)
		return
	}
	for range 5 {
		check(t, q.Put(ctx, 0))
	}
	_, err := p.Eval("q.put(6, timeout=0.01)")
	wantPythonError(t, err, "queue.Full", "")
	check(t, p.Exec("for _ in range(5): q.get()"))
	_, err = p.Eval("q.get(timeout=0.01)")
	wantPythonError(t, err, emptyError(p), "")
}

// emptyError is the name of the exception for an empty queue.
func emptyError(p *compat.Peer) string {
	if p.Interpreter().Implementation == "PyPy" {
		return "queue.Empty"
	}
	return "_queue.Empty"
}

// wantJoin has Go and Python say of n items that they are done, and both wait for that.
func wantJoin(t *testing.T, p *compat.Peer, q *pyshm.Queue, n int) {
	t.Helper()
	ctx := within(t, testkit.Patience)
	check(t, p.Exec("joiner = threading.Thread(target=q.join)\njoiner.start()"))
	joined := make(chan error)
	go func() { joined <- q.Join(ctx) }()
	for i := range n {
		if i%2 == 0 {
			check(t, q.TaskDone(ctx))
		} else {
			check(t, p.Exec("q.task_done()"))
		}
	}
	check(t, <-joined)
	check(t, p.Exec("joiner.join()"))
	if err := q.TaskDone(ctx); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Error(err)
	}
	_, err := p.Eval("q.task_done()")
	wantPythonError(t, err, "ValueError", "too many times")
}

func testGosQueue(t *testing.T, p *compat.Peer, opts ...pyshm.QueueOption) {
	ctx := within(t, testkit.Patience)
	q := must(pyshm.CreateQueue(testkit.Name(t), 7, opts...))(t)
	defer q.Close()
	defer q.Unlink()
	name := format.Repr(q.Name())
	_, err := p.Eval("attach_queue(" + name + ", 6)")
	wantPythonError(t, err, "ValueError", "another maxsize")
	_, err = p.Eval("attach_queue(" + name + ")")
	wantPythonError(t, err, "ValueError", "another maxsize")
	_, err = p.Eval("attach_queue('missing')")
	wantPythonError(t, err, "FileNotFoundError", "missing")
	check(t, p.Exec("q = attach_queue("+name+", 7)"))
	wantEchoOfQueue(t, p, q)
	if len(opts) > 0 {
		wantJoin(t, p, q, 2*len(queueValues))
	}
	// Another Go process would attach to what Python has attached to.
	again := attachParts(t, p, "q")
	check(t, again.Put(ctx, "through parts"))
	wantEqual(t, "item", must(p.Eval("q.get()"))(t), any("through parts"))

	if len(opts) == 0 {
		check(t, p.Exec("del q"))
		return // a child takes time: one queue is enough
	}
	for _, method := range testkit.Share(t, p.Interpreter(), testkit.StartMethods) {
		// After a put, so that a forked child inherits a queue with a thread that writes.
		check(t, p.Exec("q.put('parent')"))
		wantEqual(t, "item", must(q.Get(ctx))(t), any("parent"))
		check(t, p.Exec(fmt.Sprintf("process = multiprocessing.get_context(%q).Process(target=q.put, args=(%[1]q,))\nprocess.start()\nprocess.join()", method)))
		wantEqual(t, method, must(q.Get(ctx))(t), any(method))
	}
	check(t, p.Exec("q.close()\nq.join_thread()\ndel q"))
}
