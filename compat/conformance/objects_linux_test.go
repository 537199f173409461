//go:build !posixshm

package conformance

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
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
Recipe.register('Ordered', queue.PriorityQueue)
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

// One Python of each version is a server of Go's clients, and a client of Go's server.
func TestObjects(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Managers)
		m, tcp := startObjectServer(t, ""), startObjectServer(t, "127.0.0.1:0")
		jobs := manager.NewQueue(2)
		registerObjects(m, jobs)
		tcp.Register("get_queue", func(context.Context, []any) (any, error) { return jobs, nil })
		p := startObjects(t, py)
		client := serveObjects(t, p, "('127.0.0.1', 0)")
		t.Run("queue of Python", func(t *testing.T) { testQueueOfPython(t, p, client) })
		t.Run("types of Python", func(t *testing.T) { testTypesOfPython(t, client) })
		t.Run("waits at Python", func(t *testing.T) { testWaitsAtPython(t, p, client) })
		t.Run("proxies of Python", func(t *testing.T) { testProxiesOfPython(t, p, client) })
		wantEqual(t, "objects that are left in Python", must(p.Eval("server.number_of_objects(None)"))(t), any(int64(0)))

		check(t, p.Exec("address, tcp = "+m.PythonAddress()+", "+tcp.PythonAddress()+"\n"+goObjectsPython))
		t.Run("queue of Go", func(t *testing.T) { testQueueOfGo(t, p, jobs) })
		for _, f := range []string{"dicts", "lists", "locks", "others", "errors", "nested"} {
			t.Run(f+" of Go", func(t *testing.T) { check(t, p.Exec("check_"+f+"()")) })
		}
		check(t, p.Exec("del shared"))
		testkit.Eventually(t, "no objects are left in Go", func() bool { return must(p.Eval("left()"))(t) == any(int64(0)) })
	})
}

// The recipe of Python's documentation: a queue that programs on several machines use.
func testQueueOfPython(t *testing.T, p *compat.Peer, client *manager.Client) {
	q := newProxy(t, client, "get_queue")
	calls{t, q}.want(nil, "put", pickle.Tuple{"from Go", 1})
	wantEqual(t, "item", must(p.Eval("repr(jobs.get())"))(t), any("('from Go', 1)"))
	for _, v := range []string{"Point(1, 2)", "uuid.UUID(int=7)", "{Point(1, 2): {3}}", "collections.OrderedDict(a=[1])", "bytearray(b'x')"} {
		check(t, p.Exec("jobs.put("+v+")"))
		item := must(q.Call(within(t, testkit.Patience), "get"))(t)
		calls{t, q}.want(nil, "put", item) // what Go does not understand goes back as it came
		wantEqual(t, v, must(p.Eval("jobs.get() == "+v))(t), any(true))
	}
	_, err := q.Call(within(t, testkit.Patience), "get_nowait")
	if !errors.Is(err, manager.ErrEmpty) {
		t.Errorf("an empty queue: %v", err)
	}
	calls{t, q}.want(nil, "put", "x")
	calls{t, q}.want(nil, "task_done")
	calls{t, q}.want("x", "get", manager.Keywords{"timeout": 1.5})
	if again := newProxy(t, client, "get_queue"); again.ID() != q.ID() {
		t.Errorf("the same queue is %s and %s", q.ID(), again.ID())
	}
	attached := must(client.Attach(within(t, testkit.Patience), q.ID()))(t)
	calls{t, attached}.want(int64(0), "qsize")
	check(t, attached.Close())
	if _, err := attached.Call(t.Context(), "qsize"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	_, err = client.Attach(within(t, testkit.Patience), "12ab")
	var raised *manager.RemoteError
	if !errors.As(err, &raised) || !strings.Contains(err.Error(), "KeyError: '12ab'") {
		t.Errorf("no such object: %v", err)
	}
}

func testTypesOfPython(t *testing.T, client *manager.Client) {
	dict := must(pickle.NewDict(pickle.Pair{Key: "a", Value: int64(1)}))(t)
	d := calls{t, newProxy(t, client, "dict", dict, manager.Keywords{"b": 2})}
	d.want(int64(2), "__getitem__", "b")
	d.want(nil, "__setitem__", pickle.Tuple{1, "x"}, []any{nil})
	d.want(int64(3), "__len__")
	d.want("{'a': 1, 'b': 2, (1, 'x'): [None]}", "__str__")
	zz := d.raises("builtins.KeyError", "__getitem__", "zz")
	wantEqual(t, "arguments", []any(zz.Args), []any{"zz"})
	d.raises("builtins.TypeError", "__getitem__")
	keys := must(d.p.Call(within(t, testkit.Patience), "__iter__"))(t).(*manager.Proxy)
	defer keys.Close()
	calls{t, keys}.want("a", "__next__")
	calls{t, keys}.want("b", "__next__")
	calls{t, keys}.want(pickle.Tuple{int64(1), "x"}, "__next__")
	if _, err := keys.Call(within(t, testkit.Patience), "__next__"); !errors.Is(err, manager.ErrStop) {
		t.Errorf("the end of an iteration: %v", err)
	}

	l := calls{t, newProxy(t, client, "list", []any{3, 1, 2})}
	l.want(nil, "sort", manager.Keywords{"reverse": true})
	l.want([]any{int64(3), int64(2), int64(1)}, "#GETVALUE")
	l.raises("builtins.IndexError", "__getitem__", 7)

	e := calls{t, newProxy(t, client, "Event")}
	e.want(false, "wait", 0.001)
	e.want(nil, "set")
	e.want(true, "wait")

	lock := calls{t, newProxy(t, client, "Lock")}
	lock.want(true, "acquire")
	lock.want(false, "acquire", false)
	lock.want(false, "acquire", true, 0.001)
	lock.want(nil, "release")
	lock.raises("builtins.RuntimeError", "release")
	s := calls{t, newProxy(t, client, "BoundedSemaphore", 1)}
	s.want(true, "acquire", true, 1)
	s.want(nil, "release")
	s.raises("builtins.ValueError", "release")

	n := calls{t, newProxy(t, client, "Namespace", manager.Keywords{"x": 1.5})}
	n.want(1.5, "__getattribute__", "x")
	n.raises("builtins.AttributeError", "__getattribute__", "y")
	v := calls{t, newProxy(t, client, "Value", "i", 7)}
	v.want(nil, "set", -1)
	v.want(int64(-1), "get")
	a := calls{t, newProxy(t, client, "Array", "d", []any{1, 2})}
	a.want(nil, "__setitem__", 1, 2.5)
	a.want(2.5, "__getitem__", 1)

	account := calls{t, newProxy(t, client, "Account", "Ada", manager.Keywords{"balance": 10})}
	account.want(int64(14), "deposit", 5, manager.Keywords{"fee": 1})
	raised := account.raises("builtins.ValueError", "deposit", -5)
	wantEqual(t, "arguments", []any(raised.Args), []any{"negative", int64(-5)})
	account.want(int64(14), "get") // of no queue
	account.want(false, "acquire") // of no lock: it has no timeout
	if _, err := account.p.Call(within(t, testkit.Patience), "release"); !errors.As(err, &raised) || raised.Traceback == "" {
		t.Errorf("a result that cannot be pickled: %v", err) // Account is not to be found in __main__
	}
	_, err := client.New(within(t, testkit.Patience), "Account")
	if !errors.As(err, &raised) || !strings.Contains(err.Error(), "TypeError: ") {
		t.Errorf("an Account without an owner: %v", err)
	}
}

// Waits that end with their context lose nothing, and locks belong to threads.
func testWaitsAtPython(t *testing.T, p *compat.Peer, client *manager.Client) {
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	q := newProxy(t, client, "get_queue")
	if _, err := q.Call(short(), "get"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an empty queue: %v", err)
	}
	check(t, p.Exec("jobs.put('late')\ntime.sleep(0.01)"))
	calls{t, q}.want("late", "get")
	lock := newProxy(t, client, "Lock")
	calls{t, lock}.want(true, "acquire")
	if _, err := lock.Call(short(), "acquire", 1, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a taken lock: %v", err)
	}
	calls{t, lock}.want(nil, "release")
	time.Sleep(10 * time.Millisecond)
	calls{t, lock}.want(true, "acquire")

	// A put that has failed is not repeated, although a method that takes no timeout
	// raises the same class of error: the queue has the item all the same.
	ordered := calls{t, newProxy(t, client, "Ordered")}
	ordered.want(nil, "put", 1)
	ordered.raises("builtins.TypeError", "put", "text")
	ordered.want(2, "qsize")

	// A get in slices, while another goroutine uses the same proxy.
	got := make(chan any, 1)
	go func() {
		v, err := q.Call(context.WithoutCancel(t.Context()), "get")
		got <- errors.Join(err)
		got <- v
	}()
	time.Sleep(slice + 20*time.Millisecond)
	calls{t, q}.want(nil, "put", "later")
	if err := <-got; err != error(nil) {
		t.Errorf("get: %v", err)
	}
	wantEqual(t, "item", <-got, any("later"))

	r := newProxy(t, client, "RLock")
	other := must(r.Pin(within(t, testkit.Patience)))(t)
	defer other.Close()
	calls{t, r}.want(true, "acquire")
	calls{t, r}.want(true, "acquire")
	calls{t, other}.want(false, "acquire", false)
	calls{t, other}.raises("builtins.RuntimeError", "release")
	calls{t, r}.want(nil, "release")
	if _, err := r.Call(ended(t), "acquire"); !errors.Is(err, context.Canceled) {
		t.Errorf("acquire with an ended context: %v", err)
	}
	if _, err := r.Call(ended(t), "release"); err != nil { // and the thread is still the same
		t.Errorf("release with an ended context: %v", err)
	}
	calls{t, other}.want(true, "acquire", manager.Keywords{"blocking": true})

	c := newProxy(t, client, "Condition")
	calls{t, c}.want(true, "acquire")
	calls{t, c}.want(false, "wait", 0.001)
	calls{t, c}.want(nil, "notify_all")
	calls{t, c}.want(nil, "release")
	b := newProxy(t, client, "Barrier", 2)
	calls{t, b}.want(int64(2), "__getattribute__", "parties")
	ctx, cancel := context.WithCancel(within(t, testkit.Patience))
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			if n, err := b.Call(ctx, "__getattribute__", "n_waiting"); err != nil || n == any(int64(1)) {
				return
			}
		}
	}()
	if _, err := b.Call(ctx, "wait"); !errors.Is(err, context.Canceled) {
		t.Errorf("a barrier of two: %v", err)
	}
	calls{t, b}.want(true, "__getattribute__", "broken")
	calls{t, b}.raises("threading.BrokenBarrierError", "wait")
}

// slice is how long a call waits in Python's server at a time.
const slice = 200 * time.Millisecond

// Proxies go into objects and come out of them.
func testProxiesOfPython(t *testing.T, p *compat.Peer, client *manager.Client) {
	ctx := within(t, testkit.Patience)
	outer, inner := newProxy(t, client, "dict"), newProxy(t, client, "list", []any{1})
	calls{t, outer}.want(nil, "__setitem__", "inner", inner.Value())
	check(t, p.Exec("type(next(iter(server.id_to_local_proxy_obj))) # a proxy that the server owns"))
	v := must(outer.Call(ctx, "__getitem__", "inner"))(t)
	again := must(client.Rebuild(ctx, v))(t)
	defer again.Close()
	calls{t, again}.want(nil, "append", 2)
	calls{t, inner}.want("[1, 2]", "__repr__")
	if _, err := client.Rebuild(ctx, "x"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("rebuild of a str: %v", err)
	}
}

// registerObjects makes a manager offer a queue, an object of functions, and Python's types.
func registerObjects(m *manager.Manager, jobs *manager.Queue) {
	m.RegisterSyncTypes()
	m.Register("get_queue", func(context.Context, []any) (any, error) { return jobs, nil })
	m.Register("answer", func(context.Context, []any) (any, error) { return 42, nil })
	m.Register("refuse", func(context.Context, []any) (any, error) { return nil, syscall.EACCES })
	m.Register("Worker", func(_ context.Context, args []any) (any, error) {
		return manager.NewObject(map[string]manager.Function{
			"name": func(context.Context, []any) (any, error) { return args[0], nil },
			"fail": func(_ context.Context, args []any) (any, error) { return nil, raisedError(args) },
			"other": func(context.Context, []any) (any, error) {
				return manager.WithType("get_queue", manager.NewQueue(0)), nil
			},
			"chan": func(context.Context, []any) (any, error) { return make(chan int), nil },
		}), nil
	})
}

func raisedError(args []any) error {
	switch args[0] {
	case "empty":
		return manager.ErrEmpty
	case "errno":
		return syscall.ENOENT
	case "timeout":
		return context.DeadlineExceeded
	case "class":
		return &manager.RemoteError{Class: pickle.Class{Module: "decimal", Name: "DivisionByZero"}, Args: pickle.Tuple{"x", 1}}
	}
	return errors.New("something\xff")
}

// The same recipe with the queue in Go.
func testQueueOfGo(t *testing.T, p *compat.Peer, jobs *manager.Queue) {
	check(t, p.Exec(`
shared = connected(QueueManager, tcp).get_queue()
shared.put(('from Python', 1))
shared.put(Point(1, 2), timeout=1)
raises(queue.Full, shared.put_nowait, 3)
raises(queue.Full, shared.put, 3, True, 0.001)
assert shared.full()
`))
	ctx := within(t, testkit.Patience)
	if v, err := jobs.Get(ctx); err != nil || !pickle.Equal(v, pickle.Tuple{"from Python", int64(1)}) {
		t.Errorf("%v, %v", v, err)
	}
	check(t, jobs.Put(ctx, []any{"from Go"}))
	check(t, p.Exec(`
assert shared.get() == Point(1, 2)
assert shared.get(timeout=5) == ['from Go']
assert shared.qsize() == 0 and shared.empty()
raises(queue.Empty, shared.get, timeout=0.01)
raises(queue.Empty, shared.get_nowait)
raises(ValueError, shared.get, timeout=-1)
for _ in range(3): shared.task_done()
raises(ValueError, shared.task_done)
shared.join()
got = []
thread = threading.Thread(target=lambda: got.append(shared.get()))
thread.start()
`))
	check(t, jobs.Put(ctx, "waited for"))
	check(t, p.Exec("thread.join()\nassert got == ['waited for']\nshared.task_done()"))
	if err := jobs.TaskDone(); err == nil {
		t.Error("task_done was called too many times")
	}
}

// goObjectsPython has checks of a server in Go by a client in Python.
const goObjectsPython = `
import array, decimal, gc
def raises(kind, f, *args, **kwds):
    try:
        f(*args, **kwds)
    except kind as e:
        return e
    raise AssertionError('%s did not raise %s' % (f, kind))
class QueueManager(BaseManager): pass
for name in 'get_queue', 'answer', 'refuse', 'Worker', 'nonsense':
    QueueManager.register(name)
def connected(kind, where=None):
    m = kind(where or address, b'the key of the tests')
    m.connect()
    return m
def left():
    gc.collect()
    return connected(QueueManager)._number_of_objects()
def check_dicts():
    d = connected(SyncManager).dict({'a': 1}, b=2)
    d[1, 'x'] = [None]
    assert d['a'] == 1 and d.get('zz') is None and d.get('zz', 5) == 5
    assert raises(KeyError, d.__getitem__, 'zz').args == ('zz',)
    raises(TypeError, d.__setitem__, [], 1)
    assert str(d) == "{'a': 1, 'b': 2, (1, 'x'): [None]}", str(d)
    assert list(d) == ['a', 'b', (1, 'x')] == d.keys()
    assert d.copy() == d._getvalue() == dict(d.items()) == {'a': 1, 'b': 2, (1, 'x'): [None]}
    assert d.values() == [1, 2, [None]] and len(d) == 3 and 'a' in d and 'c' not in d
    del d['a']
    assert d.pop('b') == 2 and d.pop('b', None) is None
    raises(KeyError, d.pop, 'b')
    assert d.popitem() == ((1, 'x'), [None])
    raises(KeyError, d.popitem)
    assert d.setdefault('n', 1) == 1 and d.setdefault('n', 2) == 1
    d.update({True: 'one'}, k='v')
    d.update([('p', 1)])
    d.update(collections.OrderedDict(o=1))
    raises(ValueError, d.update, [1])
    d[1] = 'uno'
    assert d._getvalue() == {'n': 1, True: 'uno', 'k': 'v', 'p': 1, 'o': 1}
    d[uuid.UUID(int=7)] = d[Point(1, 2)] = d[1, Point(3, 4)] = 'instance'
    d[uuid.UUID(int=7)] = 'seven'
    assert d[uuid.UUID(int=7)] == 'seven' and d[Point(1, 2)] == d[1, Point(3, 4)] == 'instance'
    assert d.pop(Point(1, 2)) == 'instance' and Point(1, 2) not in d and len(d) == 7
    d.clear()
    assert d.items() == []
def check_lists():
    l = connected(SyncManager).list(range(3))
    mirror = list(range(3))
    for op in ['l.append("x")', 'l.extend((1, 2))', 'l.insert(0, None)', 'l.insert(-99, 7)', 'l.insert(99, 8)',
            'l[1]', 'l[-1]', 'l[1:3]', 'l[::-1]', 'l[-3:99:2]', 'l[5:1:-2]', 'l[:0]', 'l.pop()', 'l.pop(0)', 'l.count(1)',
            'l.index(2)', 'l.index(1, 3)', 'len(l)', '2 in l', 'l + [9]', 'l * 2', '2 * l', 'list(reversed(l))', 'l.remove("x")',
            'l.reverse()', 'l.__setitem__(1, 5)', 'l.__setitem__(slice(1, 3), [6, 7, 8])', 'l.__setitem__(slice(0, 4, 2), [1, 2])',
            'l.__delitem__(0)', 'l.__delitem__(slice(None, None, 2))', 'l[9]', 'l.pop(9)', 'l.remove(99)', 'l.index(99)',
            'l["a"]', 'l[::0]', 'l.__setitem__(slice(0, 2, 2), [])', 'l + (1,)', 'l.__imul__(2)', 'l.extend("ab")', 'l.sort()',
            'l.__setitem__(slice(None), [3, 1.5, True, 2**70])', 'l.sort()', 'l.sort(reverse=True)', 'l.extend({5: 1})', '[x for x in l]']:
        results = []
        for o in l, mirror:
            try:
                results.append(eval(op, {'l': o}))
            except Exception as e:
                results.append(type(e))
        assert results[0] == results[1] or '__imul__' in op, (op, results)
        assert l._getvalue() == mirror, (op, l._getvalue(), mirror)
    assert str(l) == str(mirror)
    l += [1]
    assert len(l) == len(mirror) + 1
def check_locks():
    m = connected(SyncManager)
    elsewhere = lambda f, *args: run(lambda: f(*args))
    lock = m.Lock()
    with lock:
        assert not lock.acquire(False) and not lock.acquire(True, 0.001)
    raises(RuntimeError, lock.release)
    assert lock.acquire(timeout=5)
    elsewhere(lock.release)
    s = m.BoundedSemaphore(2)
    assert s.acquire() and s.acquire() and not s.acquire(False)
    s.release()
    s.release()
    raises(ValueError, s.release)
    m.Semaphore(0).release()
    r = m.RLock()
    with r, r:
        assert elsewhere(r.acquire, False) is False
        assert isinstance(elsewhere(raises, RuntimeError, r.release), RuntimeError)
    assert elsewhere(r.acquire)     # and its thread ends
    gc.collect()
    assert r.acquire(True, 20)      # which gives it back
    r.release()
    c, ready = m.Condition(), m.Event()
    raises(RuntimeError, c.notify)
    def waiter():
        with c:
            ready.set()
            return c.wait(20)
    thread = threading.Thread(target=lambda: results.append(waiter()))
    results = []
    thread.start()
    assert ready.wait(20) and ready.is_set()
    with c:
        c.notify()
        assert not c.wait(0.001)
    thread.join()
    assert results == [True]
    ready.clear()
    assert not ready.wait(0.001)
    b = m.Barrier(2)
    thread = threading.Thread(target=lambda: results.append(b.wait()))
    thread.start()
    results.append(b.wait(20))
    thread.join()
    assert sorted(results[1:]) == [0, 1] and b.parties == 2 and b.n_waiting == 0 and not b.broken
    raises(threading.BrokenBarrierError, b.wait, 0.001)
    assert b.broken
    b.reset()
    assert not b.broken
def run(f):
    results = []
    thread = threading.Thread(target=lambda: results.append(f()))
    thread.start()
    thread.join()
    return results[0]
def check_others():
    m = connected(SyncManager)
    n = m.Namespace(x=1)
    n.y = [2]
    assert n.x == 1 and n.y == [2] and str(n) == 'Namespace(x=1, y=[2])'
    del n.x
    raises(AttributeError, lambda: n.x)
    assert vars(n._getvalue()) == {'y': [2]}
    v = m.Value('i', 7)
    v.value += 1
    assert v.value == v.get() == 8 and str(v) == "Value('i', 8)" and v._getvalue().value == 8
    a = m.Array('h', [1, 2, 3])
    a[0] = -5
    a[1:] = a[:2]
    assert list(a) == [-5, -5, 2] and len(a) == 3 and a._getvalue().typecode == 'h', list(a)
    assert list(m.Array('Q', a[2:] * 2)) == [2, 2] and list(m.Array('d', array.array('f', [1.5]))) == [1.5]
    raises(OverflowError, a.__setitem__, 0, 40000)
    raises(TypeError, a.__setitem__, 0, 'x')
    assert connected(QueueManager).answer()._getvalue() == 42
def check_errors():
    m = connected(QueueManager)
    w = m.Worker('W')
    assert w.name() == 'W'
    other = w.other()
    other.put('x')
    assert other.get() == 'x'
    raises(queue.Empty, w.fail, 'empty')
    assert raises(FileNotFoundError, w.fail, 'errno').errno == 2
    raises(TimeoutError, w.fail, 'timeout')
    assert raises(decimal.DivisionByZero, w.fail, 'class').args == ('x', 1)
    assert str(raises(RuntimeError, w.fail, 'other')) == 'something\ufffd'
    raises(multiprocessing.managers.RemoteError, w._callmethod, 'chan')
    raises(multiprocessing.managers.RemoteError, w._callmethod, 'nonsense')
    raises(multiprocessing.managers.RemoteError, w._getvalue)
    raises(TypeError, w.name, key=1)
    assert 'KeyError' in str(raises(multiprocessing.managers.RemoteError, m.nonsense))
    assert 'PermissionError' in str(raises(multiprocessing.managers.RemoteError, m.refuse))
    raises(multiprocessing.managers.RemoteError, connected(SyncManager).Barrier, 2, print)
def check_nested():
    m = connected(SyncManager)
    d = m.dict()
    d['l'] = m.list([1])
    gc.collect()
    d['l'].append(2)
    assert list(d['l']) == [1, 2]
    q = m.Queue()
    q.put(d)
    assert q.get()['l']._getvalue() == [1, 2]
    d['q'] = q
    d['q'].put(m.Lock())
    with q.get():
        assert q.empty()
`

// startObjectServer starts a manager in Go, which ends with the test.
func startObjectServer(t *testing.T, address string) *manager.Manager {
	t.Helper()
	m := must(manager.Start(address, authkey))(t)
	t.Cleanup(func() { check(t, m.Shutdown(context.Background())) })
	return m
}
