package manager

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// maxRequest is the length of the longest request that a server without objects reads, in
// bytes. Real requests have some 60, and a name has at most 255.
const maxRequest = 64 << 10

// longestRequest returns the length that a request may have, in bytes.
func (m *Manager) longestRequest() int {
	if m.objects.isEmpty() {
		return maxRequest
	}
	return max(maxRequest, m.options.maxRequest)
}

// A session serves one connection of a client: a handshake, a request, a reply. If the
// request is accept_connection, calls of objects and their replies follow.
type session struct {
	manager *Manager
	conn    net.Conn
	guest   *admission.Guest
	frames  *wire.Reader
	locks   map[*rlock]struct{} // that belong to the session
	undo    func()              // undoes the request if its reply cannot be delivered; or nil
}

// serve runs the session of a client that has been let in.
func (m *Manager) serve(guest *admission.Guest) {
	defer guest.Leave()
	defer guest.Conn.Close()
	s := &session{manager: m, conn: guest.Conn, guest: guest, frames: wire.NewReader(guest.Conn, m.longestRequest()), locks: map[*rlock]struct{}{}}
	s.run()
}

func (s *session) run() {
	log := s.manager.options.log.With("client", s.conn.RemoteAddr())
	defer s.survive(log)
	if err := s.authenticate(); errors.Is(err, ErrAuth) {
		log.Warn("client refused", "error", err)
		return
	} else if err != nil {
		log.Debug("client did not authenticate", "error", err)
		return
	}
	s.conn.SetDeadline(time.Now().Add(s.manager.options.requestTimeout))
	payload, err := s.frames.Next()
	if err == io.EOF {
		return // the client had nothing to ask for
	}
	reply, isAccepted := s.answer(payload, err)
	if s.deliver(reply, s.undo) && isAccepted {
		s.serveObjects()
	}
}

// survive keeps the process alive if a client's bytes cause a panic after all. Every
// lock on the way is released by a defer.
func (s *session) survive(log *slog.Logger) {
	if hidesPanics {
		if reason := recover(); reason != nil {
			log.Error("session ended by a panic", "panic", reason, "stack", string(debug.Stack()))
		}
	}
}

// hidesPanics is false in tests, which must not miss a panic.
var hidesPanics = true

func (s *session) authenticate() error {
	s.conn.SetDeadline(time.Now().Add(s.manager.options.handshakeTimeout))
	err := wire.AuthenticateServer(s.conn, s.manager.authkey)
	if err == nil && !s.guest.Welcome() {
		return net.ErrClosed
	}
	return err
}

// A method is a function that a client can call.
type method struct {
	params []string // names of its parameters, all of type str
	call   func(s *session, args []string) (any, error)
}

// methods has the methods of CPython's SharedMemoryServer that a SharedMemoryManager
// calls, and the methods that describe the server.
var methods = map[string]method{
	"dummy": {nil, func(*session, []string) (any, error) { return nil, nil }},

	"number_of_objects": {nil, func(s *session, _ []string) (any, error) { return s.manager.objects.count(), nil }},
	"debug_info":        {nil, func(s *session, _ []string) (any, error) { return s.manager.objects.describe(), nil }},

	"incref": {[]string{"ident"}, func(s *session, args []string) (any, error) {
		err := s.manager.objects.incref(args[0])
		if err == nil {
			s.undo = s.dropping(args[0])
		}
		return nil, err
	}},
	"decref": {[]string{"ident"}, func(s *session, args []string) (any, error) {
		return nil, s.manager.objects.decref(args[0])
	}},
	"accept_connection": {[]string{"name"}, func(*session, []string) (any, error) { return nil, nil }},

	"track_segment": {[]string{"segment_name"}, func(s *session, args []string) (any, error) {
		return nil, s.manager.keeper.track(args[0], false)
	}},
	"release_segment": {[]string{"segment_name"}, func(s *session, args []string) (any, error) {
		return nil, s.manager.keeper.release(args[0])
	}},
	"list_segments": {nil, func(s *session, _ []string) (any, error) {
		return s.manager.keeper.segments()
	}},

	// CPython's server sends two replies to this, by accident; clients read one.
	"shutdown": {nil, func(s *session, _ []string) (any, error) {
		return nil, s.manager.shutdown(s)
	}},
}

// objectMethods has the methods of CPython's server whose arguments are not all of type
// str.
var objectMethods = map[string]func(s *session, r request) (any, error){
	"create":      (*session).create,
	"get_methods": (*session).methodsOf,
}

// create makes an object, of which the client then has a reference.
func (s *session) create(r request) (any, error) {
	if len(r.args) == 0 {
		return nil, exceptionf("TypeError", "Server.create() missing 1 required positional argument: 'typeid'")
	}
	typeid, ok := r.args[0].(string)
	if !ok {
		return nil, exceptionf("TypeError", "typeid is %s, not str", pythonType(r.args[0]))
	}
	ctx := s.newCall()
	defer ctx.end()
	id, methods, err := s.manager.objects.create(ctx, typeid, r.args[1:], r.keywords)
	if err != nil {
		return nil, raisedLine(err)
	}
	s.undo = s.dropping(id)
	return pickle.Tuple{id, tupleOf(methods)}, nil
}

// methodsOf returns the methods of the object that a Token names.
func (s *session) methodsOf(r request) (any, error) {
	if len(r.args) != 1 {
		return nil, exceptionf("TypeError", "Server.get_methods() takes 3 positional arguments but %d were given", len(r.args)+2)
	}
	_, _, id, ok := parseToken(r.args[0])
	if !ok {
		return nil, exceptionf("AttributeError", "'%s' object has no attribute 'id'", pythonType(r.args[0]))
	}
	h, ok := s.manager.objects.find(id)
	if !ok {
		return nil, exceptionf("KeyError", "%s", format.Repr(id))
	}
	return tupleOf(h.methods), nil
}

// answer returns the reply to a request, and reports whether the connection becomes a
// session of calls. If the request did not arrive, err is the reason.
func (s *session) answer(payload []byte, err error) (reply []byte, isAccepted bool) {
	var r request
	if err == nil {
		r, err = s.decodeRequest(payload)
	} else {
		err = exceptionf("OSError", "%v", err)
	}
	var value any
	if err == nil {
		value, err = s.call(r)
	}
	// The log does not print the other arguments: they may contain themselves.
	s.manager.options.log.Debug("request", "method", r.method, "segment", r.segment(), "error", err)
	if err != nil {
		return encodeReply(kindTraceback, traceback(err, r.segment())), false
	}
	return encodeReply(kindReturn, value), r.method == "accept_connection"
}

// decodeRequest reads a request. Objects whose proxies it carries are kept.
func (s *session) decodeRequest(payload []byte) (request, error) {
	opcodes := requestOpcodes
	if !s.manager.objects.isEmpty() {
		opcodes = anyOpcodes
	}
	r, err := decodeRequest(payload, opcodes)
	if bytes.Contains(payload, []byte(rebuildProxy.Name)) {
		s.manager.objects.keepNested(pickle.Tuple{pickle.Tuple(r.args), r.keywords})
	}
	return r, err
}

// call executes a request. All errors but exceptions are about the segment of the
// request.
func (s *session) call(r request) (any, error) {
	if call, ok := objectMethods[r.method]; ok {
		return call(s, r)
	}
	m, ok := methods[r.method]
	if !ok {
		return nil, exceptionf("AssertionError", "%s unrecognized", format.Repr(r.method))
	}
	self := "SharedMemoryServer." + r.method + "()"
	if r.keywords.Len() > 0 {
		return nil, exceptionf("TypeError", "%s takes no keyword arguments", self)
	}
	switch given, want := len(r.args), len(m.params); {
	case given < want:
		return nil, exceptionf("TypeError", "%s missing %d required positional argument: '%s'", self, want-given, m.params[given])
	case given > want:
		// CPython counts the method's self and the connection, too.
		return nil, exceptionf("TypeError", "%s takes %d positional arguments but %d were given", self, want+2, given+2)
	}
	args := make([]string, len(r.args))
	for i, arg := range r.args {
		if args[i], ok = arg.(string); !ok {
			return nil, exceptionf("TypeError", "%s is %s, not str", m.params[i], pythonType(arg))
		}
	}
	return m.call(s, args)
}
