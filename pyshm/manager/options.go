package manager

import (
	"log/slog"
	"time"
)

// An Option changes how a [Manager] works.
type Option func(*options)

type options struct {
	maxConnections   int
	maxSegments      int
	handshakeTimeout time.Duration
	requestTimeout   time.Duration
	log              *slog.Logger
}

func newOptions(opts []Option) options {
	o := options{
		maxConnections:   4096,
		maxSegments:      16384,
		handshakeTimeout: 10 * time.Second,
		requestTimeout:   time.Hour,
		log:              slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// MaxConnections limits how many connections are served at a time, 4096 if not
// given. It is never more than three quarters of the descriptors that the process
// may have (RLIMIT_NOFILE, when the manager is made). When all are in use, a new
// client takes the place of the one that has been at its handshake the longest, if
// that is 0.1 seconds or more; else it waits. When descriptors run out first, all
// that have been at it for so long make room.
func MaxConnections(n int) Option {
	return func(o *options) { o.maxConnections = n }
}

// MaxSegments limits how many names may be tracked at a time, 16384 if not
// given. Each takes an entry in /dev/shm and a mapping of the process, of which
// Linux allows some 65,000 (vm.max_map_count).
func MaxSegments(n int) Option {
	return func(o *options) { o.maxSegments = n }
}

// HandshakeTimeout limits how long a client may take to prove that it knows the
// authkey, and to take in a reply; 10 seconds if not given.
func HandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.handshakeTimeout = d }
}

// RequestTimeout limits how long a client may take from the handshake to its
// request; an hour if not given. A short one breaks Python's clients: they go
// through the handshake first, then create the segment and, if it is a list,
// fill it, and then send the request.
func RequestTimeout(d time.Duration) Option {
	return func(o *options) { o.requestTimeout = d }
}

// Logger has the manager log: as Error and Warn what needs attention, such as a
// lost segment or a refused key; as Info what becomes of names, such as that one
// was restored; as Debug each request, of which there can be thousands a second.
// Nothing is logged if not given. The authkey is never logged. Names are restored
// only when the log has taken each entry: a handler must not block for long.
func Logger(log *slog.Logger) Option {
	return func(o *options) { o.log = log }
}
