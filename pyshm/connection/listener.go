package connection

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/address"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A Listener accepts clients, like Python's multiprocessing.connection.Listener. Its
// methods may be called by several goroutines at once.
//
// Unlike Python's, it makes the handshakes with all clients at the same time, whether or
// not Accept is called: a client that says nothing stops no other client, and a client
// that fails is logged and forgotten.
type Listener struct {
	l       net.Listener
	address address.Address
	options Options
	door    *admission.Door
	ready   chan *Conn // authenticated clients

	failed chan struct{} // closed when err is set
	err    error         // why no more clients come

	closed   chan struct{}
	once     sync.Once
	closeErr error
}

// Listen listens at an address, which the package documentation says how to write. With
// an empty one it makes a unix socket in a new folder, which only this user can enter. The
// Listener has to be closed.
//
// A unix socket has mode 0600. One that a killed process has left behind, at which no
// process listens any more, is removed; where one listens the error is
// syscall.EADDRINUSE. Unix sockets with a path are for Linux, macOS and FreeBSD.
func Listen(address string, o *Options) (*Listener, error) {
	l, err := listen(address, o)
	return l, wrap("listen", address, err)
}

func listen(addr string, o *Options) (*Listener, error) {
	options, err := o.checked()
	if err != nil {
		return nil, err
	}
	if options.HandshakeTimeout == 0 {
		options.HandshakeTimeout = defaultHandshakeTimeout
	}
	if options.Waiting == 0 {
		options.Waiting = defaultWaiting
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	socket, err := address.Listen(addr)
	if err != nil {
		return nil, err
	}
	l := &Listener{
		l:       socket,
		address: address.Of(socket.Addr()),
		options: options,
		door:    admission.New(options.Waiting, options.Log),
		ready:   make(chan *Conn),
		failed:  make(chan struct{}),
		closed:  make(chan struct{}),
	}
	go func() {
		if l.err = l.door.Serve(socket, l.welcome); l.err != nil {
			close(l.failed)
		}
	}()
	return l, nil
}

// Address returns where the listener listens, as [Dial] takes it and with the real port.
func (l *Listener) Address() string { return l.address.Name }

// PythonAddress returns the address as a Python literal, for Client and Listener of
// multiprocessing.connection: '/path', ('127.0.0.1', 5000) or b'\x00name'. Python's
// ast.literal_eval makes the object of it.
func (l *Listener) PythonAddress() string { return l.address.Python() }

// welcome makes the handshake with a client and leaves it to Accept.
func (l *Listener) welcome(guest *admission.Guest) {
	defer guest.Leave()
	err := l.authenticate(guest.Conn)
	if err == nil && !guest.Welcome() {
		err = net.ErrClosed // in the last moment of its handshake
	}
	if err != nil {
		guest.Conn.Close()
		log := l.options.Log.With("client", guest.Conn.RemoteAddr(), "error", err)
		if errors.Is(err, ErrAuth) || errors.Is(err, ErrProtocol) {
			log.Warn("client refused")
		} else {
			log.Debug("client did not authenticate")
		}
		return
	}
	conn := socketConn(guest.Conn, address.Of(guest.Conn.RemoteAddr()).Name)
	select {
	case l.ready <- conn:
	case <-l.closed:
		conn.Close()
	}
}

// authenticate makes the handshake of a server.
func (l *Listener) authenticate(conn net.Conn) error {
	if l.options.Authkey == nil {
		return nil
	}
	conn.SetDeadline(time.Now().Add(l.options.HandshakeTimeout))
	defer conn.SetDeadline(time.Time{})
	return wire.AuthenticateServer(conn, l.options.Authkey)
}

// Accept returns the next client that has proved to know the authkey. It waits for one
// until ctx is done. The error is [fs.ErrClosed] if the Listener has been closed. Clients
// that fail are no error. The caller has to close the Conn.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	c, err := l.accept(ctx)
	return c, wrap("accept", l.Address(), err)
}

func (l *Listener) accept(ctx context.Context) (*Conn, error) {
	select { // accepts a ready client even if ctx is done
	case <-l.closed:
		return nil, fs.ErrClosed
	case c := <-l.ready:
		return c, nil
	default:
	}
	select {
	case c := <-l.ready:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, fs.ErrClosed
	case <-l.failed:
		return nil, l.err
	}
}

// Close stops listening, removes the unix socket, if the path still leads to it, and ends
// the clients that wait for Accept. Connections that were accepted stay. It may be called
// again.
func (l *Listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.door.Close()
		l.closeErr = wrap("close", l.Address(), l.l.Close())
		l.door.DismissStrangers() // Accept may have returned a welcome guest just now
		l.door.Wait()
	})
	return l.closeErr
}
