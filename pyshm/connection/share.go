package connection

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
)

// A Connection that Python sends through a Connection, as
//
//	multiprocessing.connection.rebuild_connection(
//		multiprocessing.resource_sharer.DupFd, readable, writable)
//
// names a server, in a thread of the sender, and a key. The receiver connects to that
// server, with the authkey of its own process, sends (key, its pid), and receives the
// descriptor with a message of one byte. From CPython 3.14 on it confirms that with one
// byte more.
var (
	rebuildConnection = pickle.Class{Module: "multiprocessing.connection", Name: "rebuild_connection"}
	dupFd             = pickle.Class{Module: "multiprocessing.resource_sharer", Name: "DupFd"}
)

// acknowledge is the byte by which the receiver of a descriptor confirms it.
const acknowledge = 'A'

// Rebuild makes a connection of a value that Recv has returned, alone or inside of
// another value: a Connection that Python has sent through a connection, or the
// [Offer.Value] of a process in Go. It fetches the descriptor from the sender, which must
// still run, and whose process has to have the authkey: multiprocessing.current_process()
// .authkey in Python. Each such value can be rebuilt once.
//
// The flags of the open file are left as they are, as with [FromFile]. Rebuild is for
// Linux, macOS and FreeBSD.
func Rebuild(ctx context.Context, v any, authkey []byte) (*Conn, error) {
	c, err := rebuild(ctx, v, authkey)
	return c, wrap("rebuild", "", err)
}

func rebuild(ctx context.Context, v any, authkey []byte) (*Conn, error) {
	address, key, err := parseShared(v)
	if err != nil {
		return nil, err
	}
	if len(authkey) == 0 {
		return nil, invalid("the authkey is empty")
	}
	c, err := dial(ctx, address, &Options{Authkey: authkey})
	if err != nil {
		return nil, fmt.Errorf("the sender at %q: %w", address, err)
	}
	defer c.Close()
	if err := c.Send(ctx, pickle.Tuple{key, os.Getpid()}); err != nil {
		return nil, err
	}
	f, err := receiveFile(ctx, c)
	if err != nil {
		return nil, err
	}
	defer f.Close() // again, if FromFile succeeds
	return FromFile(f)
}

// receiveFile receives a descriptor, and confirms it.
func receiveFile(ctx context.Context, c *Conn) (f *os.File, err error) {
	socket, ok := c.stream.(*net.UnixConn)
	if !ok {
		return nil, invalid("descriptors travel over unix sockets only")
	}
	err = descriptor.Interruptibly(ctx, socket.SetReadDeadline, func() error {
		f, err = descriptor.Receive(socket)
		return err
	})
	switch {
	case err != nil && isInterrupted(err):
		return nil, ctx.Err()
	case err != nil:
		return nil, err
	}
	// Senders before 3.14 do not wait for it, and may be gone.
	_, _ = socket.Write([]byte{acknowledge})
	return f, nil
}

// parseShared returns what a value says about where its descriptor is.
func parseShared(v any) (address string, key any, err error) {
	connection, ok := v.(*pickle.Object)
	if !ok || connection.Class != rebuildConnection || len(connection.Args) != 3 {
		return "", nil, invalid("the value is %s, not a Connection that was sent", describe(v))
	}
	shared, ok := connection.Args[0].(*pickle.Object)
	if !ok || shared.Class != dupFd {
		return "", nil, invalid("the Connection's descriptor is %s, not a DupFd that was sent", describe(connection.Args[0]))
	}
	state, ok := shared.State.(*pickle.Dict)
	if !ok {
		return "", nil, invalid("the DupFd has no state")
	}
	id, _ := state.Get("_id")
	pair, ok := id.(pickle.Tuple)
	if !ok || len(pair) != 2 {
		return "", nil, invalid("the DupFd has no _id")
	}
	switch a := pair[0].(type) {
	case string:
		return a, pair[1], nil
	case []byte:
		if len(a) > 0 && a[0] == 0 {
			return "@" + string(a[1:]), pair[1], nil
		}
	}
	return "", nil, invalid("the sender's address is %s, not a unix socket", describe(pair[0]))
}

// describe returns a short description of a value for an error.
func describe(v any) string {
	const longest = 100
	if o, ok := v.(*pickle.Object); ok {
		v = o.Class
	}
	return pickle.Repr(v, longest)
}

// An Offer is a connection on its way to another process, as a value that can be sent.
type Offer struct {
	value *pickle.Object
	f     *os.File
	l     *Listener
	key   int64

	taken    chan struct{} // closed when the receiver has the descriptor
	served   chan struct{} // closed when nothing more is given
	cancel   context.CancelFunc
	once     sync.Once
	closeErr error
}

// Share offers a connection to one other process, in Python or Go. The caller sends
// [Offer.Value] to that process over another connection, alone or inside of another value.
// Python's recv makes a Connection of the value, and Go's [Rebuild] a Conn. The receiver's
// process has to have the authkey: multiprocessing.current_process().authkey in Python.
//
// Share closes c: from now on the connection belongs to the receiver. [Offer.Wait] returns
// when the receiver has taken it. The Offer has to be closed. Share needs Linux, and fails
// as [Conn.Detach] does.
func Share(c *Conn, authkey []byte) (*Offer, error) {
	o, err := share(c, authkey)
	return o, wrap("share", "", err)
}

func share(c *Conn, authkey []byte) (*Offer, error) {
	if len(authkey) == 0 {
		return nil, invalid("the authkey is empty")
	}
	l, err := listen("", &Options{Authkey: authkey})
	if err != nil {
		return nil, err
	}
	f, err := c.detach()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	o := &Offer{f: f, l: l, key: newKey(), taken: make(chan struct{}), served: make(chan struct{})}
	o.value = &pickle.Object{Class: rebuildConnection, Args: pickle.Tuple{
		&pickle.Object{Class: dupFd, Form: pickle.New, State: stateOf(pickle.Tuple{l.Address(), o.key})},
		c.readable, c.writable,
	}}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	go o.serve(ctx)
	return o, nil
}

// newKey returns a number that no other process can guess.
func newKey() int64 {
	var b [8]byte
	rand.Read(b[:])
	return int64(binary.NativeEndian.Uint64(b[:]) >> 1)
}

func stateOf(id pickle.Tuple) *pickle.Dict {
	state, err := pickle.NewDict(pickle.Pair{Key: "_id", Value: id})
	if err != nil {
		panic(err) // a str is a key
	}
	return state
}

// Value returns the value to send. It can be rebuilt once.
func (o *Offer) Value() *pickle.Object { return o.value }

// serve gives the descriptor to the first client that asks for it.
func (o *Offer) serve(ctx context.Context) {
	defer close(o.served)
	for {
		c, err := o.l.accept(ctx)
		if err != nil {
			return
		}
		given := o.give(ctx, c)
		c.Close()
		if given {
			o.f.Close()     // or the other end would not see the receiver end
			_ = o.l.Close() // Close returns the error, too
			close(o.taken)
			return
		}
	}
}

// patience is how long a receiver that has connected may take for each step.
const patience = 10 * time.Second

// give gives the descriptor to a client, if it asks for it.
func (o *Offer) give(ctx context.Context, c *Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c.Limit(maxRequest, nil)
	request, err := c.Recv(ctx)
	pair, ok := request.(pickle.Tuple)
	if err != nil || !ok || len(pair) != 2 || pair[0] != any(o.key) {
		return false
	}
	socket := c.stream.(*net.UnixConn)
	if err := descriptor.Send(socket, o.f); err != nil {
		return false
	}
	// The confirmation, or the end of a receiver before 3.14. If neither comes in time the
	// receiver may have the descriptor all the same.
	_ = descriptor.Interruptibly(ctx, socket.SetReadDeadline, func() error {
		_, err := socket.Read(make([]byte, 1))
		return err
	})
	return true
}

// maxRequest is the length of the longest request for a descriptor, in bytes.
const maxRequest = 256

// Wait returns nil as soon as the receiver has taken the connection.
func (o *Offer) Wait(ctx context.Context) error {
	select {
	case <-o.served:
	case <-ctx.Done():
		if !isDone(o.served) {
			return wrap("share", o.l.Address(), ctx.Err())
		}
	}
	if !isDone(o.taken) {
		return wrap("share", o.l.Address(), errWithdrawn)
	}
	return nil
}

// errWithdrawn is the reason when an offer was closed before it was taken.
var errWithdrawn = fmt.Errorf("%w: the offer was withdrawn", os.ErrClosed)

// Close withdraws the offer. If the connection has not been taken it is closed. Close may
// be called again.
func (o *Offer) Close() error {
	o.once.Do(func() {
		o.cancel()
		o.closeErr = o.l.Close()
		<-o.served
		o.f.Close() // unless it has been taken
	})
	return o.closeErr
}
