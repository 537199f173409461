package connection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A Conn is one end of a connection, like Python's multiprocessing.connection.Connection.
// Its methods may be called by several goroutines at once: frames are sent and received
// one after the other, and none is torn.
//
// With a context that has ended before the call, a method does nothing and returns the
// context's error; [Conn.Poll] alone looks once. If the context ends while a method waits,
// the documentation of the method says whether the Conn can still be used.
type Conn struct {
	stream             descriptor.Stream
	address            string // for errors
	readable, writable bool

	reading descriptor.Turn // guards the next three
	frames  *wire.Reader
	values  *pickle.Limits
	ended   error // why nothing more can be received

	writing descriptor.Turn

	closed   chan struct{}
	once     sync.Once
	closeErr error
}

// defaultMaxFrame is the length of the longest frame that a Conn receives, in bytes.
const defaultMaxFrame = 1 << 30

// newConn makes a connection of a stream, which it takes over.
func newConn(s descriptor.Stream, address string, readable, writable bool) *Conn {
	return &Conn{
		stream:   s,
		address:  address,
		readable: readable,
		writable: writable,
		reading:  make(descriptor.Turn, 1),
		frames:   wire.NewReader(s, defaultMaxFrame),
		writing:  make(descriptor.Turn, 1),
		closed:   make(chan struct{}),
	}
}

// socketConn makes a connection of a socket of package net.
func socketConn(conn net.Conn, address string) *Conn {
	return newConn(conn.(descriptor.Stream), address, true, true) // TCP or unix, which both are
}

// Limit bounds the frames that the Conn receives from now on. A frame of more than frame
// bytes is [ErrTooLong]. The limits in values bound the value that Recv makes of a frame;
// nil stands for the defaults. Without a call of Limit, a frame may have 1 GiB. Memory is allocated as the bytes come, whatever
// length the peer announces. Limit must not be called while another goroutine receives.
func (c *Conn) Limit(frame int, values *pickle.Limits) {
	c.frames.SetLimit(frame)
	c.values = values
}

// Send sends a value: Python's recv returns it. [pickle.Marshal] lists the types that it
// may have. Everything else is as with [Conn.SendBytes].
func (c *Conn) Send(ctx context.Context, v any) error {
	b, err := pickle.Marshal(v)
	if err != nil {
		return wrap("send", c.address, err)
	}
	return wrap("send", c.address, c.send(ctx, b))
}

// SendBytes sends a frame: Python's recv_bytes returns it. It waits while the buffers of
// the connection are full.
//
// If ctx ends before the first byte is sent, nothing is sent and the Conn can be used. If
// it ends later, in the middle of the frame, the Conn is closed, and the error says so:
// the peer has received a part and could take nothing else.
func (c *Conn) SendBytes(ctx context.Context, b []byte) error {
	return wrap("send bytes", c.address, c.send(ctx, b))
}

func (c *Conn) send(ctx context.Context, b []byte) error {
	if !c.writable {
		return invalid("the connection is read-only")
	}
	if err := c.writing.Take(ctx, c.closed); err != nil {
		return err
	}
	defer c.writing.Release()
	w := &counter{w: c.stream}
	err := descriptor.Interruptibly(ctx, c.stream.SetWriteDeadline, func() error { return wire.WriteFrame(w, b) })
	switch {
	case err == nil:
		return nil
	case c.isClosed():
		return fs.ErrClosed
	case !isInterrupted(err):
		return err
	case w.n == 0:
		return ctx.Err()
	}
	c.Close()
	return fmt.Errorf("%w in the middle of a frame, so the connection is closed", ctx.Err())
}

// A counter counts the bytes written.
type counter struct {
	w io.Writer
	n int
}

func (w *counter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.n += n
	return n, err
}

// Recv receives a value that Python's send or [Conn.Send] has sent. The package
// documentation of format/pickle lists the types of its result. Nothing is imported or
// called, whatever the peer sends. A frame without a pickle, such as an empty one, is a
// *pickle.Error, and the frames behind it can be received.
//
// Everything else is as with [Conn.RecvBytes].
func (c *Conn) Recv(ctx context.Context) (any, error) {
	b, err := c.receive(ctx, "recv")
	if err != nil {
		return nil, err
	}
	v, err := pickle.Unmarshal(b, c.values)
	if err != nil && bytes.HasPrefix(b, []byte("#CHALLENGE#")) {
		err = fmt.Errorf("%w: the peer asks for an authkey, and Options has none", ErrAuth)
	}
	return v, wrap("recv", c.address, err)
}

// RecvBytes receives a frame: what Python's send_bytes or send has sent. The result may
// be empty; it is nil only with an error.
//
// The error is bare [io.EOF] if the peer has closed the connection after a whole frame,
// and [io.ErrUnexpectedEOF] if it ended in the middle of one. After these, and after
// [ErrTooLong] and [ErrProtocol], nothing more can be received: the error remains the
// same. Sending is another matter.
//
// If ctx ends, the Conn can still be used, also in the middle of a frame: what has come
// of it is kept, and the next call receives the whole frame.
func (c *Conn) RecvBytes(ctx context.Context) ([]byte, error) { return c.receive(ctx, "recv bytes") }

func (c *Conn) receive(ctx context.Context, op string) ([]byte, error) {
	if !c.readable {
		return nil, wrap(op, c.address, invalid("the connection is write-only"))
	}
	if err := c.reading.Take(ctx, c.closed); err != nil {
		return nil, wrap(op, c.address, err)
	}
	defer c.reading.Release()
	var b []byte
	err := c.read(ctx, func() (err error) {
		b, err = c.frames.Next()
		return err
	})
	if err == io.EOF {
		return nil, err
	}
	return b, wrap(op, c.address, err)
}

// read calls f, which reads from frames, unless nothing more can be received.
func (c *Conn) read(ctx context.Context, f func() error) error {
	if c.ended != nil && !c.isClosed() {
		return c.ended
	}
	err := descriptor.Interruptibly(ctx, c.stream.SetReadDeadline, f)
	switch {
	case err == nil:
		return nil
	case c.isClosed():
		return fs.ErrClosed
	case isInterrupted(err):
		return ctx.Err()
	}
	c.ended = err
	return err
}

// Poll reports whether there is something to receive: the first byte of a frame, or the
// end. It waits until ctx is done, and then returns false. With a context that has ended
// before the call, Poll looks once. As with Python's poll, a Recv after it may still have
// to wait for the rest of the frame.
func (c *Conn) Poll(ctx context.Context) (bool, error) {
	if !c.readable {
		return false, wrap("poll", c.address, invalid("the connection is write-only"))
	}
	ready, err := c.poll(ctx)
	if err != nil && err == ctx.Err() {
		return false, nil
	}
	return ready, wrap("poll", c.address, err)
}

func (c *Conn) poll(ctx context.Context) (bool, error) {
	if err := c.reading.Take(ctx, c.closed); err != nil {
		return false, err
	}
	defer c.reading.Release()
	switch {
	case c.isClosed():
		return false, fs.ErrClosed
	case c.ended != nil || c.frames.Begun():
		return true, nil
	case ctx.Err() != nil:
		return descriptor.IsReady(c.stream)
	}
	err := c.read(ctx, c.frames.Peek)
	if c.ended != nil {
		return true, nil // Recv returns it
	}
	return err == nil, err
}

// Close closes this end. Methods that wait end with [fs.ErrClosed], and the peer receives
// the end after what was sent. It may be called again.
func (c *Conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.closeErr = wrap("close", c.address, c.stream.Close())
	})
	return c.closeErr
}

func (c *Conn) isClosed() bool { return isDone(c.closed) }

// isDone reports whether a channel on which nothing is sent is closed.
func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Detach closes the Conn and returns its descriptor, in blocking mode, as Python and most
// programs need it: to pass it to a child process, for example. The caller has to close
// the file. Detach fails, and changes nothing, while another goroutine sends or receives
// (EBUSY), and when Poll, or a Recv whose context ended, has received a part of a frame.
// It is for Linux, macOS and FreeBSD.
func (c *Conn) Detach() (*os.File, error) {
	f, err := c.detach()
	return f, wrap("detach", c.address, err)
}

func (c *Conn) detach() (*os.File, error) {
	for _, t := range []descriptor.Turn{c.reading, c.writing} {
		if !t.TryTake() {
			return nil, fmt.Errorf("%w: another goroutine uses the connection", syscall.EBUSY)
		}
		defer t.Release()
	}
	switch {
	case c.isClosed():
		return nil, fs.ErrClosed
	case c.frames.Begun():
		return nil, errors.New("a part of a frame has been received: receive it first")
	}
	f, err := descriptor.Detach(c.stream)
	if err == nil {
		c.Close()
	}
	return f, err
}
