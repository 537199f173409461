package worker

import (
	"context"
	"log/slog"

	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// Dial makes a pool of workers that other programs have started, for example in other
// containers, and that listen: in Python, serve(listen=ADDRESS, authkey=KEY). The pool has
// one worker for each address. The addresses and the options c, which may be nil, are the
// same as for [connection.Dial]. Dial returns when it has reached all of them. When a worker
// ends, the pool dials again until the address has another.
//
// Workers that see the same /dev/shm share memory with this process. With others, all goes
// by the connection, and [NewArray] fails. The pool cannot end the process of such a worker:
// where it would, it closes the connection.
func Dial(ctx context.Context, addresses []string, c *connection.Options, o Options) (*Pool, error) {
	const op = "dial"
	switch {
	case errSystem != nil:
		return nil, wrap(op, "", errSystem)
	case len(addresses) == 0:
		return nil, wrap(op, "", invalid("there are no addresses"))
	case o.Workers != 0 && o.Workers != len(addresses):
		return nil, wrap(op, "", invalid("%d workers at %d addresses", o.Workers, len(addresses)))
	}
	addresses = append([]string(nil), addresses...)
	o.Workers = len(addresses)
	return start(ctx, o, func(ctx context.Context, p *Pool, slot int, _ *slog.Logger) (*connection.Conn, *process, error) {
		ctx, cancel := context.WithTimeout(ctx, p.options.StartTimeout)
		defer cancel()
		conn, err := connection.Dial(ctx, addresses[slot], c)
		return conn, nil, err
	})
}

// Accept makes a pool of workers that other programs have started, and that connect to the
// listener: in Python, serve(connect=ADDRESS, authkey=KEY). It returns at once. The pool has
// up to [Options.Workers] workers at a time, and calls wait until there is one. When a worker
// ends, another one may connect.
//
// The rest is as for [Dial]. The listener remains the caller's, to be closed after the pool.
func Accept(l *connection.Listener, o Options) (*Pool, error) {
	const op = "accept"
	switch {
	case errSystem != nil:
		return nil, wrap(op, "", errSystem)
	case l == nil:
		return nil, wrap(op, "", invalid("the listener is nil"))
	}
	p, _, err := newPool(o, func(ctx context.Context, _ *Pool, _ int, _ *slog.Logger) (*connection.Conn, *process, error) {
		conn, err := l.Accept(ctx)
		return conn, nil, err
	})
	return p, wrap(op, "", err)
}
