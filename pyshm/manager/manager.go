package manager

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"sync"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/address"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A Manager owns segments of shared memory: it restores their names when they vanish
// and unlinks them in the end. It is also a server: clients, such as Python's
// SharedMemoryManager, ask it to track their segments. Its methods may be called by
// several goroutines at once.
type Manager struct {
	options options
	keeper  *keeper
	objects *objects
	door    *admission.Door

	mu       sync.Mutex
	listener net.Listener
	authkey  []byte // set with the listener, before there is a session

	done     chan struct{} // closed when shutdown has ended
	shutOnce sync.Once
	shutErr  error
}

// New makes a manager without a server, which tracks segments for this process. The
// manager watches /dev/shm from now on, and has to be shut down. [Manager.Serve]
// makes it a server.
func New(opts ...Option) (*Manager, error) {
	m, err := newManager(newOptions(opts))
	return m, wrap("new", "", err)
}

func newManager(o options) (*Manager, error) {
	switch {
	case o.maxConnections < 1:
		return nil, invalid("MaxConnections(%d) is not positive", o.maxConnections)
	case o.maxObjects < 1 || o.maxRequest < 1:
		return nil, invalid("MaxObjects(%d) or MaxRequest(%d) is not positive", o.maxObjects, o.maxRequest)
	case o.handshakeTimeout <= 0 || o.requestTimeout <= 0:
		return nil, invalid("a timeout is not positive")
	}
	keeper, err := newKeeper(o.log, o.maxSegments, rescanInterval)
	if err != nil {
		return nil, err
	}
	return &Manager{
		options: o,
		keeper:  keeper,
		objects: newObjects(o.maxObjects),
		door:    admission.New(min(o.maxConnections, descriptorsForSessions()), o.log),
		done:    make(chan struct{}),
	}, nil
}

// checkKey refuses an authkey that no server may have.
func checkKey(authkey []byte) error {
	if len(authkey) == 0 {
		return invalid("the authkey is empty")
	}
	return wire.CheckKey(authkey)
}

// Start makes a manager that serves clients at an address. The package documentation
// lists the forms of an address. If it is empty, the manager listens at a unix socket
// in a new folder that only this user can enter; [Manager.Address] returns it.
//
// Clients have to know the authkey. Start refuses an empty authkey, and in FIPS
// 140-only mode an authkey of less than 14 bytes.
//
// A unix socket has mode 0600. If a killed manager has left a socket there, at which
// no process listens any more, Start removes it. If a process listens there, the
// error is syscall.EADDRINUSE. If several managers start there at the same time, one
// succeeds. Shutdown removes the socket, unless the path leads to another socket by
// then. While a manager starts or ends, there is a second file, .NAME.pyshm-lock,
// beside the socket NAME.
func Start(address string, authkey []byte, opts ...Option) (*Manager, error) {
	m, err := start(address, authkey, newOptions(opts))
	if err != nil {
		return nil, &Error{Op: "start", Address: address, Err: err}
	}
	return m, nil
}

func start(addr string, authkey []byte, o options) (*Manager, error) {
	if err := checkKey(authkey); err != nil {
		return nil, err
	}
	m, err := newManager(o)
	if err != nil {
		return nil, err
	}
	l, err := address.Listen(addr)
	if err != nil {
		return nil, errors.Join(err, m.shutdown(nil))
	}
	m.listener, m.authkey = l, bytes.Clone(authkey)
	go func() {
		if err := m.door.Serve(l, m.serve); err != nil {
			o.log.Error("no more clients accepted", "error", err)
		}
	}()
	return m, nil
}

// Serve accepts clients on a listener that the caller has made. It returns nil when
// the manager is shut down. Serve retries after temporary errors of the system, such
// as running out of descriptors. It returns any other error of the listener. Serve
// always closes the listener, and a manager serves once.
//
// Clients have to know the authkey. Serve refuses the authkeys that [Start] refuses,
// and may be called again after that.
func (m *Manager) Serve(l net.Listener, authkey []byte) error {
	err := checkKey(authkey)
	if err == nil {
		err = m.serveOn(l, authkey)
	}
	if err == nil {
		err = m.door.Serve(l, m.serve)
	}
	l.Close()
	return wrap("serve", "", err)
}

// serveOn sets the manager's listener.
func (m *Manager) serveOn(l net.Listener, authkey []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.door.IsClosed():
		return ErrShutdown
	case m.listener != nil:
		return invalid("the manager is serving already")
	}
	m.listener, m.authkey = l, bytes.Clone(authkey)
	return nil
}

// Address returns the address at which the manager listens, with the real port and in
// the form that [NewClient] takes. It returns "" if the manager does not listen.
func (m *Manager) Address() string { return m.address().Name }

// PythonAddress returns the address at which the manager listens as a Python literal,
// for the address of Python's SharedMemoryManager: '/path', ('127.0.0.1', 5000) or
// b'\x00name'. Python's ast.literal_eval turns it into the value. It is None if the
// manager does not listen.
func (m *Manager) PythonAddress() string { return m.address().Python() }

func (m *Manager) address() address.Address {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener == nil {
		return address.Address{}
	}
	return address.Of(m.listener.Addr())
}

// Create makes a segment of size bytes under a name that it chooses, and tracks it,
// like Python's SharedMemoryManager.SharedMemory. Size and options are as in
// [pyshm.Open].
func (m *Manager) Create(ctx context.Context, size int, opts ...pyshm.OpenOption) (*pyshm.SharedMemory, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("create", "", err)
	}
	s, err := pyshm.Create("", size, as[pyshm.CreateOption](opts)...)
	return owned(s, err, func(name string) error { return wrap("create", "", m.track(ctx, name)) })
}

// CreateList makes a list under a name that it chooses, and tracks it, like Python's
// SharedMemoryManager.ShareableList. Values and options are as in
// [pyshm.CreateList].
func (m *Manager) CreateList(ctx context.Context, values []any, opts ...pyshm.OpenListOption) (*pyshm.ShareableList, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("create list", "", err)
	}
	l, err := pyshm.CreateList("", values, as[pyshm.ListOption](opts)...)
	return owned(l, err, func(name string) error { return wrap("create list", "", m.track(ctx, name)) })
}

// owned hands a new segment over to a manager, or unlinks it.
func owned[S interface {
	Name() string
	Close() error
	Unlink() error
}](s S, err error, track func(name string) error) (S, error) {
	if err != nil {
		return s, err
	}
	if err := track(s.Name()); err != nil {
		return *new(S), errors.Join(err, s.Close(), unlinked(s.Unlink()))
	}
	return s, nil
}

// unlinked drops the error of an Unlink that came too late.
func unlinked(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Track makes the manager the owner of an existing segment, which any process may
// have made. The manager restores the name when it vanishes and unlinks the segment
// in the end. A name tracked twice is listed twice, and gone when it is released
// once.
//
// A name has one owner: if another manager, or pyshm hold, keeps the name, the error
// is [ErrOwned]. Track cannot find that out for a segment that this process may not
// write to; each of two owners would restore the names that the other releases. A
// client's request is granted all the same: the name is listed, and kept as soon as
// its owner drops it.
//
// If there is no such segment, the error is [fs.ErrNotExist].
func (m *Manager) Track(ctx context.Context, name string) error {
	return wrap("track", name, m.track(ctx, name))
}

func (m *Manager) track(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.keeper.track(name, true)
}

// Release unlinks a tracked segment and ends the tracking of its name. If the name
// is not tracked, the error is [ErrNotTracked]. If the name has another owner, the
// error is [ErrOwned]: the segment stays, and the tracking ends.
func (m *Manager) Release(ctx context.Context, name string) error {
	err := ctx.Err()
	if err == nil {
		err = m.keeper.release(name)
	}
	return wrap("release", name, err)
}

// Untrack ends the tracking of a name and leaves the segment. From then on the
// manager neither restores nor removes it. If the name is not tracked, the error is
// [ErrNotTracked].
func (m *Manager) Untrack(ctx context.Context, name string) error {
	err := ctx.Err()
	if err == nil {
		err = m.keeper.untrack(name)
	}
	return wrap("untrack", name, err)
}

// Segments returns the tracked names, in the order of tracking.
func (m *Manager) Segments(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, wrap("segments", "", err)
	}
	names, err := m.keeper.segments()
	return names, wrap("segments", "", err)
}

// Shutdown ends all connections, closes the listener and unlinks every tracked
// segment, even if ctx is done. After that it waits until the goroutines that served
// the connections have ended, but no longer than ctx allows; the channel of
// [Manager.Done] is closed when nothing of the manager is left. Segments that have
// vanished are not an error. Segments that have another owner stay. Shutdown may be
// called again, and after a client has shut the manager down.
//
// Handles to the segments stay valid: only the names are gone.
func (m *Manager) Shutdown(ctx context.Context) error {
	err := m.shutdown(nil)
	select {
	case <-m.done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return wrap("shutdown", "", err)
}

// Done returns a channel, which is closed when the manager has been shut down, by
// [Manager.Shutdown] or by a client.
func (m *Manager) Done() <-chan struct{} { return m.done }

// shutdown ends all sessions but the one that asked for it, which may be nil, and
// returns when all segments are released. The manager is done when the session that
// asked has ended, too.
func (m *Manager) shutdown(asking *session) error {
	m.shutOnce.Do(func() {
		m.endSessions(asking)
		m.shutErr = m.keeper.close()
		go func() {
			m.door.Wait()
			close(m.done)
		}()
	})
	return m.shutErr
}

func (m *Manager) endSessions(asking *session) {
	m.mu.Lock()
	m.door.Close()
	l := m.listener
	m.mu.Unlock()
	if l != nil {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			m.options.log.Warn("listener not closed properly", "address", l.Addr().String(), "error", err)
		}
	}
	if asking == nil {
		m.door.Dismiss(nil)
		return
	}
	m.door.Dismiss(asking.guest)
}
