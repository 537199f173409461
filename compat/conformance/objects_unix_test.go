//go:build unix

package conformance

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// objectsPython is what the peers of these tests know besides. A server serves in threads
// of the peer.
const objectsPython = `
import collections, datetime, multiprocessing, queue, threading, time, uuid
from multiprocessing.managers import BaseManager, SyncManager
multiprocessing.current_process().authkey = b'the key of the tests'
Point = collections.namedtuple('Point', 'x y')
class Account:
    def __init__(self, owner, balance=0):
        self.owner, self.balance = owner, balance
    def deposit(self, amount, *, fee=0):
        if amount < 0:
            raise ValueError('negative', amount)
        self.balance += amount - fee
        return self.balance
    def same(self, v):
        return v
    def get(self):
        return self.balance
    def acquire(self):
        return False
    def release(self):
        return self
import __main__
__main__.Point = Point
jobs = queue.Queue()
class Recipe(SyncManager): pass
Recipe.register('get_queue', callable=lambda: jobs)
Recipe.register('Account', Account)
def serve(address):
    global server
    server = Recipe(address=address, authkey=b'the key of the tests').get_server()
    server.stop_event = threading.Event()
    multiprocessing.current_process()._manager_server = server
    threading.Thread(target=server.accepter, daemon=True).start()
`

func startObjects(t *testing.T, py compat.Interpreter) *compat.Peer {
	t.Helper()
	p := start(t, py)
	check(t, p.Exec(objectsPython))
	return p
}

// serveObjects has the peer serve objects at an address, and returns a client.
func serveObjects(t *testing.T, p *compat.Peer, address string) *manager.Client {
	t.Helper()
	check(t, p.Exec("serve("+address+")"))
	return manager.NewClient(testkit.GoAddress(t, p, "server.address"), authkey)
}

// newProxy has a manager make an object, and drops it when the test ends.
func newProxy(t *testing.T, c *manager.Client, typeid string, args ...any) *manager.Proxy {
	t.Helper()
	p := must(c.New(within(t, testkit.Patience), typeid, args...))(t)
	t.Cleanup(func() { check(t, p.Close()) })
	return p
}

// calls makes calls and compares their results.
type calls struct {
	t testing.TB
	p *manager.Proxy
}

func (c calls) want(want any, method string, args ...any) {
	c.t.Helper()
	got, err := c.p.Call(within(c.t, testkit.Patience), method, args...)
	if err != nil || !pickle.Equal(got, want) {
		c.t.Errorf("%s%s: %s, %v, want %s", method, pickle.Repr(pickle.Tuple(args), 100), pickle.Repr(got, 100), err, pickle.Repr(want, 100))
	}
}

func (c calls) raises(class string, method string, args ...any) *manager.RemoteError {
	c.t.Helper()
	v, err := c.p.Call(within(c.t, testkit.Patience), method, args...)
	var raised *manager.RemoteError
	if !errors.As(err, &raised) || raised.Class.String() != class {
		c.t.Errorf("%s: %v, %v, want %s", method, v, err, class)
		return &manager.RemoteError{}
	}
	return raised
}

// The recipe of Python's documentation: a queue that programs on several machines use.
func TestQueueOfPython(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		p := startObjects(t, py)
		client := serveObjects(t, p, "('127.0.0.1', 0)")
		q := newProxy(t, client, "get_queue")
		calls{t, q}.want(nil, "put", pickle.Tuple{"from Go", 1})
		wantEqual(t, "item", must(p.Eval("repr(jobs.get())"))(t), any("('from Go', 1)"))
		check(t, p.Exec("jobs.put(Point(1, 2))"))
		item := must(q.Call(within(t, testkit.Patience), "get"))(t)
		calls{t, q}.want(nil, "put", item) // an object that Go does not understand goes back as it came
		wantEqual(t, "item", must(p.Eval("jobs.get() == Point(1, 2)"))(t), any(true))

		_, err := q.Call(within(t, testkit.Patience), "get_nowait")
		if !errors.Is(err, manager.ErrEmpty) {
			t.Errorf("an empty queue: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := q.Call(ctx, "get"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an empty queue: %v", err)
		}
		// What comes after a get was given up is not lost.
		check(t, p.Exec("jobs.put('late')\ntime.sleep(0.02)"))
		calls{t, q}.want("late", "get")
		check(t, q.Close())
		wantEqual(t, "objects", must(p.Eval("server.number_of_objects(None)"))(t), any(int64(0)))
		if _, err := q.Call(t.Context(), "qsize"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// raises is a check in Python of an exception and its arguments.
const raises = `
def raises(kind, f, *args, **kwds):
    try:
        f(*args, **kwds)
    except kind as e:
        return e
    raise AssertionError('%s did not raise %s' % (f, kind))
`

// The same recipe with the queue in Go.
func TestQueueOfGo(t *testing.T) {
	q, m := manager.NewQueue(2), startObjectServer(t, "127.0.0.1:0")
	m.Register("get_queue", func(context.Context, []any) (any, error) { return q, nil })
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		p := startObjects(t, py)
		check(t, p.Exec(`
class QueueManager(BaseManager): pass
QueueManager.register('get_queue')
manager = QueueManager(`+m.PythonAddress()+`, b'the key of the tests')
manager.connect()
shared = manager.get_queue()
shared.put(('from Python', 1))
shared.put(Point(1, 2), timeout=1)
`))
		check(t, p.Exec(raises+"raises(queue.Full, shared.put_nowait, 3)"))
		ctx := within(t, testkit.Patience)
		if v, err := q.Get(ctx); err != nil || !pickle.Equal(v, pickle.Tuple{"from Python", int64(1)}) {
			t.Errorf("%v, %v", v, err)
		}
		check(t, q.Put(ctx, []any{"from Go"}))
		wantEqual(t, "items", must(p.Eval("[shared.get() == Point(1, 2), shared.get(), shared.qsize()]"))(t),
			any([]any{true, []any{"from Go"}, int64(0)}))
		check(t, p.Exec("raises(queue.Empty, shared.get, timeout=0.01)\ndel shared"))
	})
}

// startObjectServer starts a manager in Go, which ends with the test.
func startObjectServer(t *testing.T, address string, opts ...manager.Option) *manager.Manager {
	t.Helper()
	m := must(manager.Start(address, authkey, opts...))(t)
	t.Cleanup(func() { check(t, m.Shutdown(context.Background())) })
	return m
}
