package connection

import (
	"context"
	"net"

	"github.com/pyshm-go/pyshm/pyshm/internal/address"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// Dial connects to a server, like Python's multiprocessing.connection.Client, and makes
// the handshake if there is an authkey. The package documentation says how an address is
// written. Where the server's queue of clients is full, Dial waits until ctx is done.
//
// The handshake lasts until the server takes part in it. A server without an authkey
// never does, so ctx should have a deadline.
func Dial(ctx context.Context, address string, o *Options) (*Conn, error) {
	c, err := dial(ctx, address, o)
	return c, wrap("dial", address, err)
}

func dial(ctx context.Context, addr string, o *Options) (*Conn, error) {
	options, err := o.checked()
	if err != nil {
		return nil, err
	}
	a, err := address.Parse(addr)
	if err != nil {
		return nil, err
	}
	conn, err := address.Dial(ctx, a)
	if err != nil {
		return nil, err
	}
	if options.Authkey != nil {
		if err := authenticate(ctx, conn, options); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return socketConn(conn, addr), nil
}

// authenticate makes the handshake of a client.
func authenticate(ctx context.Context, conn net.Conn, o Options) error {
	if o.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.HandshakeTimeout)
		defer cancel()
	}
	err := descriptor.Interruptibly(ctx, conn.SetDeadline, func() error { return wire.AuthenticateClient(conn, o.Authkey) })
	switch {
	case err != nil && isInterrupted(err):
		return ctx.Err()
	case err != nil && wire.IsGone(err):
		return errGone
	}
	return err
}
