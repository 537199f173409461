package manager

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// maxRequest is the length of the longest request that a server reads, in bytes. Real
// requests have some 60, and a name has at most 255.
const maxRequest = 64 << 10

// A session serves one connection of a client: a handshake, a request, a reply.
type session struct {
	manager *Manager
	conn    net.Conn
	guest   *admission.Guest
}

// serve runs the session of a client that has been let in.
func (m *Manager) serve(guest *admission.Guest) {
	defer guest.Leave()
	defer guest.Conn.Close()
	s := &session{manager: m, conn: guest.Conn, guest: guest}
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
	payload, err := wire.ReadFrame(s.conn, maxRequest)
	if err == io.EOF {
		return // the client had nothing to ask for
	}
	reply := s.answer(payload, err)
	s.conn.SetDeadline(time.Now().Add(s.manager.options.handshakeTimeout))
	if err := wire.WriteFrame(s.conn, reply); err != nil {
		log.Debug("reply not delivered", "error", err)
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
	if err == nil {
		s.guest.Welcome()
	}
	return err
}

// A method is a function that a client can call.
type method struct {
	params []string // names of its parameters, all of type str
	call   func(s *session, args []string) (any, error)
}

// methods has the methods of CPython's SharedMemoryServer that a SharedMemoryManager
// calls, and the methods that describe the server. Proxies are not supported: a
// SharedMemoryManager has no types to make proxies of.
var methods = map[string]method{
	"dummy": {nil, func(*session, []string) (any, error) { return nil, nil }},

	// The server of a SharedMemoryManager never has any objects.
	"number_of_objects": {nil, func(*session, []string) (any, error) { return 0, nil }},
	"debug_info":        {nil, func(*session, []string) (any, error) { return "", nil }},

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

// answer returns the reply to a request. If the request did not arrive, err is the
// reason.
func (s *session) answer(payload []byte, err error) []byte {
	var r request
	if err == nil {
		r, err = decodeRequest(payload)
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
		return encodeReply(kindTraceback, traceback(err, r.segment()))
	}
	return encodeReply(kindReturn, value)
}

// call executes a request. All errors but exceptions are about the segment of the
// request.
func (s *session) call(r request) (any, error) {
	m, ok := methods[r.method]
	if !ok {
		return nil, exceptionf("AssertionError", "%s unrecognized", format.Repr(r.method))
	}
	self := "SharedMemoryServer." + r.method + "()"
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
