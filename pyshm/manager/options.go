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
	maxObjects       int
	maxRequest       int
	handshakeTimeout time.Duration
	requestTimeout   time.Duration
	log              *slog.Logger
}

func newOptions(opts []Option) options {
	o := options{
		maxConnections:   4096,
		maxSegments:      16384,
		maxObjects:       65536,
		maxRequest:       64 << 20,
		handshakeTimeout: 10 * time.Second,
		requestTimeout:   time.Hour,
		log:              slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// MaxConnections limits how many connections are served at a time; the default is
// 4096. The limit is never more than three quarters of the descriptors that the
// process may have (RLIMIT_NOFILE, when the manager is made). When all connections
// are in use, a new client takes the place of the client whose handshake has lasted
// longest, if it has lasted 0.1 seconds or more; otherwise the new client waits. When
// descriptors run out first, all clients whose handshakes have lasted 0.1 seconds
// lose their connections.
func MaxConnections(n int) Option {
	return func(o *options) { o.maxConnections = n }
}

// MaxSegments limits how many names may be tracked at a time; the default is 16384.
// Each name takes an entry in /dev/shm and a mapping of the process. Linux allows a
// process some 65,000 mappings (vm.max_map_count).
func MaxSegments(n int) Option {
	return func(o *options) { o.maxSegments = n }
}

// MaxObjects limits of how many objects clients may have proxies at a time; the default is
// 65536. A client that wants another one gets an exception. The objects of clients that
// were killed count, too: no other process can give their references up.
func MaxObjects(n int) Option {
	return func(o *options) { o.maxObjects = n }
}

// MaxRequest limits the length of a request about objects, in bytes; the default is
// 64 MiB. Memory is taken as the bytes come. A client that sends a longer one loses its
// connection.
func MaxRequest(n int) Option {
	return func(o *options) { o.maxRequest = n }
}

// HandshakeTimeout limits how long a client may take to prove that it knows the
// authkey, and to take in a reply; the default is 10 seconds.
func HandshakeTimeout(d time.Duration) Option {
	return func(o *options) { o.handshakeTimeout = d }
}

// RequestTimeout limits how long a client may take from the handshake to its
// request; the default is an hour. A short timeout breaks Python's clients: they go
// through the handshake first, then create the segment and, if it is a list, fill
// it, and then send the request.
func RequestTimeout(d time.Duration) Option {
	return func(o *options) { o.requestTimeout = d }
}

// Logger sets where the manager logs. By default it logs nothing. It logs events that
// need attention as Error and Warn, such as a lost segment or a refused key; changes
// of names as Info, such as a restored name; and each request as Debug, which can be
// thousands a second. The authkey is never logged. The handler must not block for
// long: no name is restored until it has taken each entry.
func Logger(log *slog.Logger) Option {
	return func(o *options) { o.log = log }
}

// as returns options as options of a wider use. [pyshm.Replace] is not among them: the
// manager chooses the names.
func as[Wide, Narrow any](opts []Narrow) []Wide {
	wide := make([]Wide, len(opts))
	for i, opt := range opts {
		wide[i] = any(opt).(Wide)
	}
	return wide
}
