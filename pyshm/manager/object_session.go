package manager

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// serveObjects serves the calls of a client's thread, one after the other, until the
// client closes the connection. A client in Python has one such session for each of its
// threads.
func (s *session) serveObjects() {
	defer s.abandonLocks()
	s.frames.SetLimit(s.manager.options.maxRequest)
	for {
		_ = s.conn.SetReadDeadline(time.Time{}) // a proxy may be idle for days
		payload, err := s.frames.Next()
		if err != nil {
			s.manager.options.log.Debug("session ended", "client", s.conn.RemoteAddr(), "reason", err)
			return
		}
		if !s.deliver(s.answerCall(payload)) {
			return
		}
	}
}

// deliver sends a reply, and reports whether it could be delivered. If not, it calls undo,
// which may be nil.
func (s *session) deliver(reply []byte, undo func()) bool {
	if undo == nil {
		return s.reply(reply) == nil
	}
	if s.isGone() || s.reply(reply) != nil {
		undo()
		return false
	}
	return true
}

// dropping returns a function that gives up a reference that a client should have got.
func (s *session) dropping(id string) func() {
	return func() { _ = s.manager.objects.decref(id) } // a hostile client may have given it up
}

// isGone reports whether the client has closed the connection already. Over TCP a reply to
// such a client is sent without an error.
func (s *session) isGone() bool {
	stream, ok := s.conn.(descriptor.Stream) // as every socket of package net
	if !ok {
		return false
	}
	if ready, err := descriptor.IsReady(stream); err != nil || !ready {
		return false
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	return s.frames.Peek() != nil // the end, or the next request
}

// reply sends a reply, which the client has to take in soon.
func (s *session) reply(payload []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.manager.options.handshakeTimeout))
	err := wire.WriteFrame(s.conn, payload)
	if err != nil {
		s.manager.options.log.Debug("reply not delivered", "client", s.conn.RemoteAddr(), "error", err)
	}
	return err
}

// A taken value is a method's result, to be put back if it cannot be delivered.
type taken struct {
	value any
	undo  func()
}

// answerCall returns the reply to a call, and how to undo the call if the reply cannot be
// delivered.
func (s *session) answerCall(payload []byte) (reply []byte, undo func()) {
	r, err := s.decodeRequest(payload)
	if err != nil {
		return encodeReply(kindTraceback, traceback(err, "")), nil
	}
	kind, v, err := s.callObject(r)
	s.manager.options.log.Debug("call", "method", r.method, "error", err)
	if err != nil && kind != kindError {
		return encodeReply(kindTraceback, traceback(raisedLine(err), "")), nil
	}
	if err != nil {
		v = raisedBy(err)
	}
	if t, ok := v.(taken); ok {
		v, undo = t.value, t.undo
	}
	if made, ok := v.(typed); ok && kind == kindReturn {
		if v, undo, err = s.asProxy(made); err != nil {
			return encodeReply(kindTraceback, traceback(raisedLine(err), "")), nil
		}
		kind = kindProxy
	}
	reply, err = pickle.Marshal(pickle.Tuple{kind, v})
	if err != nil {
		return encodeReply(kindUnserializable, traceback(exceptionf("TypeError", "%v", err), "")), undo
	}
	return reply, undo
}

// callObject calls a method of an object. With kindError the object has failed, otherwise
// the request is wrong.
func (s *session) callObject(r request) (kind string, v any, err error) {
	h, ok := s.manager.objects.find(r.object)
	if !ok {
		return "", nil, raise("KeyError", r.object)
	}
	if !h.has(r.method) {
		v, err := h.fallback(r.method)
		return kindReturn, v, err
	}
	ctx := s.newCall()
	defer ctx.end()
	if v, err = h.object.Call(ctx, r.method, r.args, r.keywords); err != nil {
		return kindError, nil, err
	}
	return kindReturn, v, nil
}

// asProxy makes the reply for a method's result that is an object.
func (s *session) asProxy(t typed) (v any, undo func(), err error) {
	id, methods, err := s.manager.objects.add(t.object)
	if err != nil {
		return nil, nil, err
	}
	address := tokenAddress(s.manager.address()) // which clients overwrite
	return pickle.Tuple{tupleOf(methods), token(t.typeid, address, id)}, s.dropping(id), nil
}

func (h *held) has(method string) bool {
	for _, m := range h.methods {
		if m == method {
			return true
		}
	}
	return false
}

// fallback calls a method that every object has.
func (h *held) fallback(method string) (any, error) {
	switch method {
	case "#GETVALUE":
		if o, ok := h.object.(valued); ok {
			return o.value(), nil
		}
		return nil, raise("TypeError", fmt.Sprintf("cannot pickle '%T' object", h.object))
	case "__str__", "__repr__":
		return h.String(), nil
	}
	return nil, raise("AttributeError", fmt.Sprintf("method %s of '%T' object is not in exposed=%s",
		format.Repr(method), h.object, pickle.Repr(tupleOf(h.methods), 10*maxExcerpt)))
}

// maxRepr is the length of the longest text that str(proxy) returns, in bytes.
const maxRepr = 1 << 20

// String returns the object as Python's repr shows it.
func (h *held) String() string {
	switch o := h.object.(type) {
	case fmt.Stringer:
		return o.String()
	case valued:
		return pickle.Repr(o.value(), maxRepr)
	}
	return fmt.Sprintf("<%T object>", h.object)
}

// A callContext is the context of one call. It ends when the client closes the connection,
// so that a call that waits takes no item for a client that is gone. It also ends when the
// client sends the next request before it has the reply: an end behind these bytes could
// not be seen, and a client in Python does so only if it has given up the call. It watches
// the connection from the moment at which the call asks for its end, since most calls do not.
type callContext struct {
	context.Context
	session *session

	mu      sync.Mutex
	done    chan struct{}
	isDone  bool
	stopped chan struct{} // closed when the connection is not watched any more; nil if it never was
}

// sessionKey is the key of the session in a callContext.
type sessionKey struct{}

func (s *session) newCall() *callContext {
	return &callContext{Context: context.Background(), session: s, done: make(chan struct{})}
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil && !c.isDone {
		c.stopped = make(chan struct{})
		go c.watch()
	}
	return c.done
}

// watch waits for the end of the connection, or for the next request, and ends the context.
func (c *callContext) watch() {
	defer close(c.stopped)
	_ = c.session.frames.Peek() // the session finds the error again
	c.cancel()
}

func (c *callContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isDone {
		c.isDone = true
		close(c.done)
	}
}

// end ends the context, and waits until the connection is not watched any more.
func (c *callContext) end() {
	c.cancel() // from now on, Done starts nothing
	c.mu.Lock()
	stopped := c.stopped
	c.mu.Unlock()
	if stopped != nil {
		_ = c.session.conn.SetReadDeadline(time.Unix(0, 1))
		<-stopped
	}
}

// Err implements context.Context.
func (c *callContext) Err() error {
	c.Done() // a call that only looks at Err asks for the end, too
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isDone {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	if key == (sessionKey{}) {
		return c.session
	}
	return c.Context.Value(key)
}
