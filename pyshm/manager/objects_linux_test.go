package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// startObjects starts a manager with Python's types, and a queue that is always the same.
func startObjects(t testing.TB, opts ...Option) (*Manager, *Client, *Queue) {
	t.Helper()
	m := startManager(t, "", opts...)
	m.RegisterSyncTypes()
	q := NewQueue(0)
	m.Register("get_queue", func(context.Context, []any) (any, error) { return q, nil })
	return m, NewClient(m.Address(), key), q
}

func newProxy(t testing.TB, c *Client, typeid string, args ...any) *Proxy {
	t.Helper()
	p := testkit.Must(c.New(t.Context(), typeid, args...))(t)
	t.Cleanup(func() { testkit.Check(t, p.Close()) })
	return p
}

func wantResult(t testing.TB, p *Proxy, want any, method string, args ...any) {
	t.Helper()
	got, err := p.Call(t.Context(), method, args...)
	if err != nil || !pickle.Equal(got, want) {
		t.Errorf("%s: %v, %v, want %v", method, got, err, want)
	}
}

func TestReferences(t *testing.T) {
	m, c, q := startObjects(t, MaxObjects(2))
	first, second := newProxy(t, c, "get_queue"), newProxy(t, c, "get_queue")
	if first.ID() != second.ID() || m.objects.count() != 1 {
		t.Errorf("%s, %s: %d objects", first.ID(), second.ID(), m.objects.count())
	}
	wantResult(t, first, nil, "put", 1)
	testkit.Check(t, first.Close())
	testkit.Check(t, first.Close())
	wantResult(t, second, int64(1), "get")
	testkit.Check(t, second.Close())
	if n := m.objects.count(); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	_, err := second.Call(t.Context(), "get")
	wantReason(t, "closed", err, fs.ErrClosed)
	testkit.Check(t, q.Put(t.Context(), "kept")) // the program's own queue stays
	wantResult(t, newProxy(t, c, "get_queue"), "kept", "get")

	lock := newProxy(t, c, "Lock")
	_, err = c.New(t.Context(), "Lock")
	var raised *RemoteError
	if !errors.As(err, &raised) || !strings.Contains(err.Error(), "RuntimeError: the manager has 2 objects") {
		t.Errorf("a third object: %v", err)
	}
	attached := testkit.Must(c.Attach(t.Context(), lock.ID()))(t)
	testkit.Check(t, attached.Close())
	wantResult(t, lock, true, "acquire")
	for _, id := range []string{lock.ID() + "0", ""} {
		if _, err := c.Attach(t.Context(), id); !errors.As(err, &raised) {
			t.Errorf("attach to %q: %v", id, err)
		}
	}
	if info, err := NewClient(m.Address(), key).request(t.Context(), "debug_info"); err != nil || !strings.Contains(info.(string), lock.ID()+":       refcount=1\n") {
		t.Errorf("%v, %v", info, err)
	}
}

// calling opens a session of calls, as a thread of a client.
func calling(t testing.TB, m *Manager) net.Conn {
	t.Helper()
	conn := authenticated(t, m)
	testkit.Check(t, wire.WriteFrame(conn, encodeRequest("accept_connection", "thread")))
	if reply := testkit.Must(wire.ReadFrame(conn, maxReply))(t); string(reply) != returned(nil) {
		t.Fatalf("accept_connection: %q", reply)
	}
	return conn
}

func callOf(t testing.TB, id, method string, args ...any) []byte {
	t.Helper()
	return testkit.Must(pickle.Marshal(pickle.Tuple{id, method, pickle.Tuple(args), &pickle.Dict{}}))(t)
}

// A client that goes away while it waits takes nothing.
func TestClientGoneInTheMiddle(t *testing.T) {
	m, c, q := startObjects(t)
	proxy, lock := newProxy(t, c, "get_queue"), newProxy(t, c, "Lock")
	condition, parties := newProxy(t, c, "Condition"), newProxy(t, c, "Barrier", 2)
	wantResult(t, lock, true, "acquire")
	waiting := func(o any) func() bool {
		return func() bool {
			switch o := o.(type) {
			case *Queue:
				o.mu.Lock()
				defer o.mu.Unlock()
				return len(o.getters.list) > 0
			case *Lock:
				o.mu.Lock()
				defer o.mu.Unlock()
				return len(o.waiting.list) > 0
			case *barrier:
				o.mu.Lock()
				defer o.mu.Unlock()
				return o.round.count > 0
			}
			return false
		}
	}
	object := func(p *Proxy) any {
		h, _ := m.objects.find(p.ID())
		return h.object
	}
	for _, tc := range []struct {
		p      *Proxy
		method string
	}{{proxy, "get"}, {lock, "acquire"}, {parties, "wait"}} {
		conn := calling(t, m)
		testkit.Check(t, wire.WriteFrame(conn, callOf(t, tc.p.ID(), tc.method)))
		testkit.Eventually(t, tc.method+" waits", waiting(object(tc.p)))
		conn.Close()
		testkit.Eventually(t, tc.method+" has ended", func() bool { return !waiting(object(tc.p))() })
	}
	testkit.Check(t, q.Put(t.Context(), "kept"))
	wantResult(t, proxy, "kept", "get")
	wantResult(t, lock, nil, "release")
	wantResult(t, lock, true, "acquire", false)
	wantResult(t, parties, true, "__getattribute__", "broken")

	// The lock of a condition is given back when its session ends.
	conn := calling(t, m)
	testkit.Check(t, wire.WriteFrame(conn, callOf(t, condition.ID(), "acquire")))
	testkit.Must(wire.ReadFrame(conn, maxReply))(t)
	conn.Close()
	wantResult(t, condition, true, "acquire")
}

// What cannot be delivered goes back.
func TestUndelivered(t *testing.T) {
	_, c, q := startObjects(t)
	l := NewLock()
	testkit.Check(t, q.Put(t.Context(), "first"))
	testkit.Check(t, q.Put(t.Context(), "second"))
	for _, o := range []Object{q, l} {
		method := map[bool]string{true: "get", false: "acquire"}[o == Object(q)]
		v, err := o.Call(t.Context(), method, nil, nil)
		testkit.Check(t, err)
		v.(taken).undo()
	}
	wantResult(t, newProxy(t, c, "get_queue"), "first", "get")
	testkit.Check(t, l.Acquire(t.Context()))
	if err := l.Release(); err != nil || l.Release() == nil {
		t.Errorf("%v, or a second release", err)
	}
}

// An object of which no client has got the reference is forgotten.
func TestUndeliveredReference(t *testing.T) {
	m, c, _ := startObjects(t)
	called, proceed := make(chan struct{}), make(chan struct{})
	slowly := func(context.Context, []any) (any, error) {
		called <- struct{}{}
		<-proceed
		return NewLock(), nil
	}
	m.Register("slow", slowly)
	m.Register("maker", func(context.Context, []any) (any, error) {
		return NewObject(map[string]Function{"slow": func(ctx context.Context, args []any) (any, error) {
			o, err := slowly(ctx, args)
			return WithType("Lock", o.(Object)), err
		}}), nil
	})
	maker := newProxy(t, c, "maker")
	for what, request := range map[string]func() net.Conn{
		"create": func() net.Conn {
			conn := authenticated(t, m)
			testkit.Check(t, wire.WriteFrame(conn, encodeRequest("create", "slow")))
			return conn
		},
		"call": func() net.Conn {
			conn := calling(t, m)
			testkit.Check(t, wire.WriteFrame(conn, callOf(t, maker.ID(), "slow")))
			return conn
		},
	} {
		conn := request()
		<-called
		testkit.Check(t, conn.Close())
		proceed <- struct{}{}
		testkit.Eventually(t, what+" is undone", func() bool { return m.objects.count() == 1 })
	}
}

// A thousand clients wait at a time, and each gets one item.
func TestThousandClients(t *testing.T) {
	const clients = 1000
	_, c, q := startObjects(t)
	p := newProxy(t, c, "get_queue")
	got := make(chan any, clients)
	for range clients {
		go func() { // over a connection of its own
			v, err := p.Call(context.WithoutCancel(t.Context()), "get")
			if err != nil {
				v = err
			}
			got <- v
		}()
	}
	testkit.Eventually(t, "most of them wait", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.getters.list) > clients/2 // the others are between two slices
	})
	for i := range clients {
		testkit.Check(t, q.Put(t.Context(), i))
	}
	seen := map[any]bool{}
	for range clients {
		v := <-got
		if _, ok := v.(int64); !ok || seen[v] {
			t.Errorf("got %v, or got it twice", v)
		}
		seen[v] = true
	}
}

// A server that ends in the middle of a call, or replies nonsense.
func TestObjectServerGone(t *testing.T) {
	m, c, q := startObjects(t)
	p := testkit.Must(c.New(t.Context(), "get_queue"))(t)
	wantResult(t, p, nil, "put", 1)
	wantResult(t, p, int64(1), "get", true, 20)
	ended := make(chan error)
	go func() {
		_, err := p.Call(context.WithoutCancel(t.Context()), "join")
		ended <- err
	}()
	testkit.Eventually(t, "join waits", func() bool {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.joiners.list) == 1
	})
	testkit.Check(t, m.Shutdown(t.Context()))
	wantReason(t, "join", <-ended, io.ErrUnexpectedEOF)
	_, err := p.Call(t.Context(), "qsize")
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a call without a server: %v", err)
	}
	testkit.Check(t, p.Close())

	for what, reply := range map[string]string{
		"no pickle": "x", "not a pair": "\x80\x04).", "a proxy of nothing": "\x80\x04\x8c\x06#PROXYN\x86.",
		"an object of nothing": returned(nil), "an id that is no str": "\x80\x04\x8c\x07#RETURNK\x01)\x86\x86.",
	} {
		_, err := answering(t, []byte(reply)).New(t.Context(), "Lock")
		if err == nil || !strings.Contains(err.Error(), "unreadable reply") && !strings.Contains(err.Error(), "pickle: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A hung server keeps a caller no longer than its context, or a little longer in a get.
func TestObjectServerHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	exposed := testkit.Must(pickle.Marshal(pickle.Tuple{kindReturn, pickle.Tuple{"12", pickle.Tuple{"get", "put", "get_nowait", "put_nowait"}}}))(t)
	l := testkit.Must(net.Listen("unix", t.TempDir()+"/sock"))(t)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if wire.AuthenticateServer(conn, key) != nil {
					return
				}
				payload, _ := wire.ReadFrame(conn, maxRequest)
				switch r, _ := decodeRequest(payload, anyOpcodes); r.method {
				case "create":
					wire.WriteFrame(conn, exposed)
				case "decref":
					wire.WriteFrame(conn, encodeReply(kindReturn, nil))
				case "accept_connection":
					wire.WriteFrame(conn, encodeReply(kindReturn, nil))
					<-hang
				}
			}()
		}
	}()
	p := newProxy(t, NewClient(l.Addr().String(), key), "get_queue")
	for _, method := range []string{"qsize", "get"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := p.Call(ctx, method)
		cancel()
		wantReason(t, method, err, context.DeadlineExceeded)
	}
}

// A context ends after the request for a reference, and before the reply: the reference is
// not lost.
func TestReferenceAfterContext(t *testing.T) {
	m, c, _ := startObjects(t)
	for what, refer := range map[string]func(ctx context.Context, late *Client, p *Proxy) (*Proxy, error){
		"attach":  func(ctx context.Context, late *Client, p *Proxy) (*Proxy, error) { return late.Attach(ctx, p.ID()) },
		"rebuild": func(ctx context.Context, late *Client, p *Proxy) (*Proxy, error) { return late.Rebuild(ctx, p.Value()) },
		"pin":     func(ctx context.Context, late *Client, p *Proxy) (*Proxy, error) { return p.Pin(ctx) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		address := fakeServer(t, func(client net.Conn) {
			server := testkit.Must(net.Dial("unix", m.Address()))(t)
			defer server.Close()
			go io.Copy(server, client)
			for reply := 1; reply <= 4; reply++ { // challenge, verdict, response, reply
				frame, err := wire.ReadFrame(server, maxReply)
				if err != nil {
					return
				}
				if reply == 4 {
					cancel()
					time.Sleep(20 * time.Millisecond)
				}
				wire.WriteFrame(client, frame)
			}
		})
		late := NewClient(address, key)
		p := testkit.Must(c.New(t.Context(), "Lock"))(t)
		p.client = late
		second, err := refer(ctx, late, p)
		testkit.Check(t, p.Close())
		if err == nil {
			testkit.Check(t, second.Close())
		}
		if n := m.objects.count(); n != 0 {
			t.Errorf("%s: %d objects are left (%v)", what, n, err)
		}
		cancel()
	}
}

// The error of a call that outlives its context is the context's.
func TestErrorAfterContext(t *testing.T) {
	for want, ended := range map[error]func() (context.Context, context.CancelFunc){
		context.Canceled: func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
		context.DeadlineExceeded: func() (context.Context, context.CancelFunc) {
			return context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
		},
	} {
		ctx, cancel := ended()
		cancel()
		began := time.Now()
		longer, cancel := outliving(ctx, 20*time.Millisecond)
		<-longer.Done()
		if took := time.Since(began); longer.Err() != want || took < 20*time.Millisecond {
			t.Errorf("%v after %v, want %v", longer.Err(), took, want)
		}
		cancel()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	longer, stop := outliving(ctx, 20*time.Millisecond)
	defer stop()
	<-longer.Done()
	if longer.Err() != context.DeadlineExceeded {
		t.Error(longer.Err())
	}
}

// A semaphore has room for more tokens than a 32-bit int.
func TestManyTokens(t *testing.T) {
	s := testkit.Must(newSemaphore(0, false))(t)
	got := make(chan error, 1)
	go func() { got <- s.Acquire(t.Context()) }()
	testkit.Check(t, s.release(1<<31))
	testkit.Check(t, <-got)
}

// Requests that no client of Python makes get a reply, and the session goes on.
func TestMalformedCalls(t *testing.T) {
	m, c, _ := startObjects(t)
	d := newProxy(t, c, "dict")
	conn := calling(t, m)
	for _, tc := range []struct{ call, want string }{
		{"", "UnpicklingError: "},
		{"\x80\x04N.", "TypeError: cannot unpack"},
		{"\x80\x04(N\x8c\x03get)}t.", "KeyError: None"},
		{"\x80\x04(]\x8c\x03get)}t.", "KeyError: []"},
		{"\x80\x04]\x94h\x00a.", "recursive value"},
		{string(callOf(t, "nonsense", "get")), "KeyError: 'nonsense'"},
		{string(callOf(t, d.ID(), "__class__")), "AttributeError: method '__class__' of '*manager.Dict' object is not in exposed=("},
	} {
		testkit.Check(t, wire.WriteFrame(conn, []byte(tc.call)))
		reply := testkit.Must(wire.ReadFrame(conn, maxReply))(t)
		_, err := decodeObjectReply(reply)
		var raised *RemoteError
		if !errors.As(err, &raised) || !strings.Contains(raised.Traceback, tc.want) {
			t.Errorf("%q: %v, want %s", tc.call, err, tc.want)
		}
	}
	testkit.Check(t, wire.WriteFrame(conn, callOf(t, d.ID(), "__len__")))
	if v, err := decodeObjectReply(testkit.Must(wire.ReadFrame(conn, maxReply))(t)); err != nil || v != any(int64(0)) {
		t.Errorf("%v, %v", v, err)
	}
	fmt.Fprintf(conn, "\x7f\xff\xff\xff") // a request of 2 GiB
	wantEnd(t, conn)
}

// FuzzCall makes hostile calls of every type: no panic, no hang, and a reply.
func FuzzCall(f *testing.F) {
	checkNames(f)
	m := startManager(f, "")
	m.RegisterSyncTypes()
	m.Register("get_queue", func(context.Context, []any) (any, error) { return NewQueue(1), nil })
	args := map[string][]any{"Barrier": {int64(2)}, "Value": {"i", int64(1)}, "Array": {"i", []any{int64(1)}}, "list": {[]any{int64(3), "x"}}}
	var ids []string
	for _, typeid := range []string{"dict", "list", "Queue", "Lock", "RLock", "Semaphore", "Condition", "Event", "Barrier", "Namespace", "Value", "Array"} {
		id, methods, err := m.objects.create(context.Background(), typeid, args[typeid], nil)
		testkit.Check(f, err)
		for _, method := range append(methods, "#GETVALUE", "__str__") {
			slice := &pickle.Object{Class: builtin("slice"), Args: pickle.Tuple{int64(-1), nil, int64(-1)}}
			for _, args := range []pickle.Tuple{{}, {int64(1)}, {"x"}, {slice}, {slice, []any{int64(1)}}, {int64(1), 0.5}, {true, int64(0)}} {
				f.Add(len(ids), string(testkit.Must(pickle.Marshal(pickle.Tuple{"", method, args, &pickle.Dict{}}))(f)))
			}
		}
		ids = append(ids, id)
	}
	f.Fuzz(func(t *testing.T, which int, payload string) {
		if len(payload) > maxRequest {
			return
		}
		// The client has gone: no call waits.
		here, there := net.Pipe()
		there.Close()
		s := &session{manager: m, conn: here, frames: wire.NewReader(strings.NewReader(""), 1), locks: map[*rlock]struct{}{}}
		defer s.abandonLocks()
		request := payload
		if v, err := pickle.Unmarshal([]byte(payload), nil); err == nil {
			if fields, ok := v.(pickle.Tuple); ok && len(fields) == 4 { // most are about an object
				fields[0] = ids[uint(which)%uint(len(ids))]
				if b, err := pickle.Marshal(fields); err == nil {
					request = string(b)
				}
			}
		}
		reply, undo := s.answerCall([]byte(request))
		if undo != nil {
			undo()
		}
		var raised *RemoteError
		if _, err := decodeObjectReply(reply); err != nil && !errors.As(err, &raised) {
			t.Fatalf("the reply %q: %v", reply, err)
		}
	})
}

// An item that comes right after a waiting client has gone is not sent to it, over TCP
// either, where sending succeeds.
func TestItemAfterClientGone(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:0"} {
		m := startManager(t, address)
		q := NewQueue(0)
		m.Register("get_queue", func(context.Context, []any) (any, error) { return q, nil })
		c := NewClient(m.Address(), key)
		p := newProxy(t, c, "get_queue")
		for i := range 100 {
			conn := calling(t, m)
			testkit.Check(t, wire.WriteFrame(conn, callOf(t, p.ID(), "get")))
			testkit.Eventually(t, "get waits", func() bool {
				q.mu.Lock()
				defer q.mu.Unlock()
				return len(q.getters.list) > 0
			})
			conn.Close()
			testkit.Check(t, q.Put(t.Context(), i))
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			v, err := q.Get(ctx)
			cancel()
			if err != nil || v != any(int64(i)) {
				t.Fatalf("item %d: %v, %v", i, v, err)
			}
		}
	}
}
