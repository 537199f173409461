package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// A Proxy stands for an object in a manager: a queue, a dict, a lock or any other object,
// which lives in the process of a Python BaseManager or of a [Manager]. [Client.New]
// makes one. As long as a Proxy is open the manager keeps the object, so every Proxy has
// to be closed.
//
// Its methods may be called by several goroutines at once. Each call has a connection of
// its own while it lasts, and so a thread of its own in Python's server; idle connections
// are used again. In Python an RLock or a Condition belongs to the thread that has
// acquired it: [Proxy.Pin] makes a Proxy whose calls are all made in one thread. The Proxy
// of an RLock or a Condition that New has made is pinned from the start.
type Proxy struct {
	client  *Client
	typeid  string
	id      string
	methods []string
	turn    chan struct{} // has room for the only call of a pinned proxy; else nil

	mu     sync.Mutex
	closed bool
	idle   []*connection.Conn
	busy   map[*connection.Conn]struct{}
}

// maxIdle is how many connections a proxy keeps for later calls.
const maxIdle = 4

// How long the server may take for the reply to a call that was given up, and for the
// request of Close: a Python server with a thousand clients takes seconds for a handshake.
const (
	replyPatience = 2 * time.Second
	closePatience = 10 * time.Second
)

// Keywords are keyword arguments, as the last argument of [Client.New] or [Proxy.Call].
type Keywords map[string]any

// New has the manager create an object: it calls what was registered under the name
// typeid with the arguments. These are names of SyncManager, such as "dict", "list",
// "Queue" or "Lock", or names of BaseManager.register, such as "get_queue".
//
// [pickle.Marshal] lists the types that arguments may have; the last one may be
// [Keywords]. If the manager raises an exception the error is a [RemoteError].
func (c *Client) New(ctx context.Context, typeid string, args ...any) (*Proxy, error) {
	p, err := c.create(ctx, typeid, args)
	return p, c.wrap("new", typeid, err)
}

func (c *Client) create(ctx context.Context, typeid string, args []any) (*Proxy, error) {
	args, keywords, err := splitKeywords(args)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The reply is waited for even if ctx ends: without it nothing could drop the object.
	ctx, cancel := outliving(ctx, replyPatience)
	defer cancel()
	v, err := c.ask(ctx, "create", append(pickle.Tuple{typeid}, args...), keywords)
	if err != nil {
		return nil, err
	}
	created, _ := v.(pickle.Tuple)
	if len(created) != 2 {
		return nil, unreadable("create returned %s", pickle.Repr(v, maxExcerpt))
	}
	return c.proxy(typeid, created[0], created[1])
}

// proxy makes the proxy of an object of which the client has a reference.
func (c *Client) proxy(typeid string, id, methods any) (*Proxy, error) {
	ident, isStr := id.(string)
	names, err := stringsOf(methods)
	if !isStr || err != nil {
		return nil, unreadable("an object with the id %s and the methods %s", pickle.Repr(id, maxExcerpt), pickle.Repr(methods, maxExcerpt))
	}
	p := &Proxy{client: c, typeid: typeid, id: ident, methods: names, busy: map[*connection.Conn]struct{}{}}
	if typeid == "RLock" || p.has("notify") {
		p.turn = make(chan struct{}, 1)
	}
	return p, nil
}

// Attach makes a Proxy of an object that exists: id is [Proxy.ID] of another Proxy, or
// _id of a proxy in Python. The object stays as long as there is a Proxy, in any process.
// If there is no such object the error is a [RemoteError].
func (c *Client) Attach(ctx context.Context, id string) (*Proxy, error) {
	p, err := c.attach(ctx, "", id)
	return p, c.wrap("attach", id, err)
}

func (c *Client) attach(ctx context.Context, typeid, id string) (*Proxy, error) {
	ctx, cancel, err := c.refer(ctx, id)
	if err != nil {
		return nil, err
	}
	defer cancel()
	methods, err := c.ask(ctx, "get_methods", pickle.Tuple{token(typeid, nil, id)}, nil)
	if err != nil {
		return nil, errors.Join(err, c.drop(ctx, id))
	}
	return c.proxy(typeid, id, methods)
}

// refer takes a reference to an object, and returns the context for what is left to do. As
// in create, the reply is waited for even if ctx ends: without it nothing could give the
// reference back.
func (c *Client) refer(ctx context.Context, id string) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := outliving(ctx, replyPatience)
	if _, err := c.ask(ctx, "incref", pickle.Tuple{id}, nil); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, cancel, nil
}

// drop gives a reference back. If there is no server any more, there is no reference.
func (c *Client) drop(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	_, err := c.ask(ctx, "decref", pickle.Tuple{id}, nil)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

// ID returns the name of the object in its manager, for [Client.Attach].
func (p *Proxy) ID() string { return p.id }

// Methods returns the names of the methods that the manager offers. Besides these,
// "__str__", "__repr__" and "#GETVALUE", which returns a copy of the object, can be called.
func (p *Proxy) Methods() []string { return slices.Clone(p.methods) }

func (p *Proxy) has(methods ...string) bool {
	for _, m := range methods {
		if !slices.Contains(p.methods, m) {
			return false
		}
	}
	return true
}

// Pin makes another Proxy of the same object, all of whose calls are made over one
// connection and so in one thread of Python's server, one call at a time. Each goroutine
// that acquires an RLock or a Condition needs one of its own, which has to be closed.
func (p *Proxy) Pin(ctx context.Context) (*Proxy, error) {
	_, cancel, err := p.client.refer(ctx, p.id)
	if err != nil {
		return nil, p.wrap("pin", "", err)
	}
	cancel()
	return &Proxy{
		client: p.client, typeid: p.typeid, id: p.id, methods: p.methods,
		turn: make(chan struct{}, 1), busy: map[*connection.Conn]struct{}{},
	}, nil
}

// Call calls a method of the object and returns its result, in the types of package
// format/pickle. Arguments are as with [Client.New]. If the method returns a proxy, as
// "__iter__" of a dict does, the result is a *Proxy, which has to be closed.
//
// If the object raises an exception the error is a [RemoteError]; errors.Is finds
// [ErrEmpty], [ErrFull] and [ErrStop] in it.
//
// If ctx ends during the call, its connection is closed, and the server may still execute
// it. Some calls are different:
//   - get and put of a queue, acquire of a lock, semaphore or condition, and wait of an
//     event are asked for again and again, for 0.2 seconds at a time. When ctx ends, Call
//     waits for the last of these, for 0.2 seconds at most. So no item and no lock is lost:
//     if the item has come in the meantime Call returns it.
//   - wait of a condition returns false after 0.2 seconds at the latest, whatever the
//     timeout, with the condition acquired. As in any loop around a wait, the caller looks
//     at what it waits for, and calls wait again.
//   - wait of a barrier breaks the barrier if ctx ends, as a timeout does in Python.
//   - release of a lock, semaphore or condition is executed even if ctx has ended.
//   - with a pinned Proxy, Call waits for the reply to any method when ctx ends: to close
//     the connection would end the thread, and leave its locks acquired for ever.
//
// If a server has hung or vanished by then, Call gives up two seconds later.
func (p *Proxy) Call(ctx context.Context, method string, args ...any) (any, error) {
	v, err := p.call(ctx, method, args)
	return v, p.wrap("call", method, err)
}

func (p *Proxy) wrap(op, method string, err error) error {
	if err == nil {
		return nil
	}
	name := p.typeid
	if name == "" {
		name = p.id
	}
	if method != "" {
		name += "." + method
	}
	return p.client.wrap(op, name, err)
}

func (p *Proxy) call(ctx context.Context, method string, args []any) (any, error) {
	args, keywords, err := splitKeywords(args)
	if err != nil {
		return nil, err
	}
	if w := p.waitOf(method); w != nil {
		return w.call(ctx, p, args, keywords)
	}
	switch {
	case method == "wait" && p.has("abort", "reset"):
		return p.waitAtBarrier(ctx, args, keywords)
	case method == "release" && p.has("acquire"), p.turn != nil && ctx.Err() == nil:
		// A lock has to be released even if the caller is about to end, and a connection
		// that is closed would take its thread's locks with it.
		var cancel context.CancelFunc
		ctx, cancel = outliving(ctx, replyPatience)
		defer cancel()
	}
	return p.once(ctx, method, args, keywords)
}

// once makes one call over a connection.
func (p *Proxy) once(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	request, err := pickle.Marshal(pickle.Tuple{p.id, method, pickle.Tuple(args), keywords})
	if err != nil {
		return nil, err
	}
	conn, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	v, err := exchange(ctx, conn, request)
	var raised *RemoteError
	p.release(conn, err == nil || errors.As(err, &raised))
	switch {
	case err != nil && p.isClosed():
		return nil, fs.ErrClosed
	case err != nil:
		return nil, err
	}
	if made, ok := v.(madeProxy); ok {
		return p.client.proxy(made.typeid, made.id, made.methods)
	}
	return v, nil
}

// exchange sends a request and receives its reply.
func exchange(ctx context.Context, conn *connection.Conn, request []byte) (any, error) {
	if err := conn.SendBytes(ctx, request); err != nil {
		return nil, explain(err)
	}
	reply, err := conn.RecvBytes(ctx)
	if err != nil {
		return nil, explain(err)
	}
	return decodeObjectReply(reply)
}

// take returns a connection for one call.
func (p *Proxy) take(ctx context.Context) (*connection.Conn, error) {
	if p.turn != nil {
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	conn, err := p.idleOrNew(ctx)
	if err != nil && p.turn != nil {
		<-p.turn
	}
	return conn, err
}

func (p *Proxy) idleOrNew(ctx context.Context) (*connection.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fs.ErrClosed
	}
	if n := len(p.idle); n > 0 { // the last one: a caller that calls nothing else has one thread
		conn := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.busy[conn] = struct{}{}
		return conn, nil
	}
	p.mu.Unlock()
	conn, err := p.client.session(ctx)
	p.mu.Lock()
	switch {
	case err != nil:
		return nil, err
	case p.closed:
		conn.Close()
		return nil, fs.ErrClosed
	}
	p.busy[conn] = struct{}{}
	return conn, nil
}

// release keeps a connection for the next call, or closes it.
func (p *Proxy) release(conn *connection.Conn, isGood bool) {
	p.mu.Lock()
	delete(p.busy, conn)
	if isGood && !p.closed && len(p.idle) < maxIdle {
		p.idle = append(p.idle, conn)
	} else {
		conn.Close()
	}
	p.mu.Unlock()
	if p.turn != nil {
		<-p.turn
	}
}

func (p *Proxy) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close gives up the reference to the object: the manager drops the object when no
// reference is left. It does not release a lock. Calls that have not ended fail with [fs.ErrClosed]; what the server
// then does about them is as when a context ends. Close may be called again. It waits ten
// seconds at most, and a server that has ended is no error.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	for conn := range p.busy {
		conn.Close()
	}
	for _, conn := range p.idle {
		conn.Close()
	}
	p.idle = nil
	p.mu.Unlock()
	return p.wrap("close", "", p.client.drop(context.Background(), p.id))
}

// session opens a connection for calls of objects: to Python's server, a thread.
func (c *Client) session(ctx context.Context) (*connection.Conn, error) {
	call, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := call.ask("accept_connection", pickle.Tuple{sessionName}, nil); err != nil {
		call.close()
		return nil, err
	}
	call.conn.Limit(maxObjectReply, nil)
	return call.conn, nil
}

// sessionName is the name of the threads in Python's server that serve this process.
const sessionName = "Go"

// maxObjectReply is the length of the longest reply to a call, in bytes.
const maxObjectReply = 1 << 30

// ask makes a connection for one request about objects.
func (c *Client) ask(ctx context.Context, function string, args pickle.Tuple, keywords *pickle.Dict) (any, error) {
	call, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer call.close()
	return call.ask(function, args, keywords)
}

func (o *call) ask(function string, args pickle.Tuple, keywords *pickle.Dict) (any, error) {
	request, err := pickle.Marshal(pickle.Tuple{nil, function, args, orEmpty(keywords)})
	if err != nil {
		return nil, err
	}
	return exchange(o.ctx, o.conn, request)
}

// splitKeywords takes keyword arguments off the end.
func splitKeywords(args []any) ([]any, *pickle.Dict, error) {
	keywords := &pickle.Dict{}
	if len(args) == 0 {
		return args, keywords, nil
	}
	last, ok := args[len(args)-1].(Keywords)
	if !ok {
		return args, keywords, nil
	}
	for _, name := range slices.Sorted(maps.Keys(last)) {
		if err := keywords.Set(name, last[name]); err != nil {
			return nil, nil, err
		}
	}
	return args[:len(args)-1], keywords, nil
}

func orEmpty(d *pickle.Dict) *pickle.Dict {
	if d == nil {
		return &pickle.Dict{}
	}
	return d
}

// outliving returns a context that ends some time after ctx, or after now if ctx has ended,
// with the error of ctx.
func outliving(ctx context.Context, later time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	end, hasEnd := ctx.Deadline()
	if hasEnd {
		cancel()
		longer, cancel = context.WithTimeout(context.WithoutCancel(ctx), max(time.Until(end), 0)+later)
	}
	stop := context.AfterFunc(ctx, func() {
		if hasEnd && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return // longer has a deadline, too
		}
		select {
		case <-time.After(later):
		case <-longer.Done():
		}
		cancel()
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// maxExcerpt is the length of a value in an error, in bytes.
const maxExcerpt = 100

func unreadable(format string, args ...any) error {
	return fmt.Errorf("unreadable reply: "+format, args...)
}
