package manager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/connection"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// maxReply is the length of the longest reply that a client reads, in bytes. As many
// names as replyOpcodes allows fit in it.
const maxReply = 8 << 20

// A Client asks a manager, Python's or another process's [Manager], to track
// segments. It opens a connection for each request, as Python's clients do, and
// needs no closing. Its methods may be called by several goroutines at once.
//
// A method returns when the server has replied, or ctx is done. When more clients
// come than the server's queue takes (16 in CPython 3.8 to 3.12), the others wait,
// as Python's clients do.
type Client struct {
	address string
	authkey []byte
}

// NewClient returns a client of the manager at an address. The package documentation
// lists the forms of an address. NewClient does not connect: a wrong address, or a
// wrong or empty authkey, is reported when a method is called.
func NewClient(address string, authkey []byte) *Client {
	return &Client{address, bytes.Clone(authkey)}
}

// Address returns the address that NewClient was given.
func (c *Client) Address() string { return c.address }

// Create makes a segment of size bytes under a name that it chooses, and has the
// manager track it, like Python's SharedMemoryManager.SharedMemory. Size and options
// are as in [pyshm.Open]. If Create fails, no segment is left; if the manager
// cannot be reached, none is created.
func (c *Client) Create(ctx context.Context, size int, opts ...pyshm.OpenOption) (*pyshm.SharedMemory, error) {
	// First, as in CPython: a refused client need not create anything.
	call, err := c.open(ctx)
	if err != nil {
		return nil, c.wrap("create", "", err)
	}
	defer call.close()
	s, err := pyshm.Create("", size, as[pyshm.CreateOption](opts)...)
	return owned(s, err, func(name string) error { return c.wrap("create", "", c.adopt(ctx, call, name)) })
}

// CreateList makes a list under a name that it chooses, and has the manager track
// it, like Python's SharedMemoryManager.ShareableList. Values and options are as in
// [pyshm.CreateList]. Errors are as in [Client.Create].
func (c *Client) CreateList(ctx context.Context, values []any, opts ...pyshm.OpenListOption) (*pyshm.ShareableList, error) {
	call, err := c.open(ctx)
	if err != nil {
		return nil, c.wrap("create list", "", err)
	}
	defer call.close()
	l, err := pyshm.CreateList("", values, as[pyshm.ListOption](opts)...)
	return owned(l, err, func(name string) error { return c.wrap("create list", "", c.adopt(ctx, call, name)) })
}

// adopt has the manager track a new segment. The caller unlinks it if adopt fails.
func (c *Client) adopt(ctx context.Context, call *call, name string) error {
	_, err := call.do("track_segment", name)
	var refused *RemoteError
	if err != nil && !errors.As(err, &refused) {
		// The manager may track the segment all the same, and would then restore
		// its name after the caller has unlinked it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = c.Release(ctx, name) // the first error is the one to report
	}
	return err
}

// Track makes the manager the owner of an existing segment, which any process may
// have made. What a Manager then does is described at [Manager.Track]. A Python
// manager merely unlinks the segment in the end.
//
// If there is no such segment, the error is [fs.ErrNotExist].
func (c *Client) Track(ctx context.Context, name string) error {
	file, err := shmfile.FileName(name)
	if err == nil {
		// Python's manager would not look.
		_, err = shmfile.Lookup(file)
	}
	if err == nil {
		_, err = c.request(ctx, "track_segment", file)
	}
	return c.wrap("track", name, err)
}

// Release unlinks a tracked segment and ends the tracking of its name. If the name
// is not tracked, the error is [ErrNotTracked]. If the server is Python's and the
// segment has vanished, the error is [fs.ErrNotExist], and the tracking has ended.
func (c *Client) Release(ctx context.Context, name string) error {
	file, err := shmfile.FileName(name)
	if err == nil {
		_, err = c.request(ctx, "release_segment", file)
	}
	return c.wrap("release", name, err)
}

// Segments returns the tracked names, in the order of tracking.
func (c *Client) Segments(ctx context.Context) ([]string, error) {
	names, err := c.segments(ctx)
	return names, c.wrap("segments", "", err)
}

func (c *Client) segments(ctx context.Context) ([]string, error) {
	value, err := c.request(ctx, "list_segments")
	if err != nil {
		return nil, err
	}
	return strs(value)
}

// Shutdown has the manager unlink every segment that it tracks, and end.
//
// Python's manager fails to shut down, and lives on, at each segment that has
// vanished. It does not track that segment any more, so Shutdown asks again.
func (c *Client) Shutdown(ctx context.Context) error {
	for before := math.MaxInt; ; {
		_, err := c.request(ctx, "shutdown")
		var raised *RemoteError
		if !errors.As(err, &raised) || !errors.Is(raised, fs.ErrNotExist) {
			return c.wrap("shutdown", "", err)
		}
		left, listErr := c.segments(ctx)
		if listErr != nil || len(left) >= before {
			return c.wrap("shutdown", "", err)
		}
		before = len(left)
	}
}

func (c *Client) wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Name: name, Address: c.address, Err: err}
}

// request makes a connection for one call of a method.
func (c *Client) request(ctx context.Context, method string, args ...string) (any, error) {
	call, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	defer call.close()
	return call.do(method, args...)
}

// open connects to the server. Client and server prove to each other that they know
// the key.
func (c *Client) open(ctx context.Context) (*call, error) {
	if err := checkKey(c.authkey); err != nil {
		return nil, err
	}
	conn, err := connection.Dial(ctx, c.address, &connection.Options{Authkey: c.authkey})
	if err != nil {
		return nil, explain(err)
	}
	conn.Limit(maxReply, nil)
	return &call{ctx, conn}, nil
}

// A call is a connection to a server, for one request.
type call struct {
	ctx  context.Context
	conn *connection.Conn
}

func (o *call) close() { o.conn.Close() }

// do sends the request and returns the value of the reply.
func (o *call) do(method string, args ...string) (any, error) {
	if err := o.conn.SendBytes(o.ctx, encodeRequest(method, args...)); err != nil {
		return nil, explain(err)
	}
	reply, err := o.conn.RecvBytes(o.ctx)
	if err != nil {
		return nil, explain(err)
	}
	return decodeReply(reply)
}

// errGone is the reason when the server, or its connection, ended too early.
var errGone = fmt.Errorf("%w: the server closed the connection before it replied", io.ErrUnexpectedEOF)

// explain returns the meaning of an error of the connection.
func explain(err error) error {
	if wire.IsGone(err) {
		return errGone
	}
	var outer *connection.Error
	if errors.As(err, &outer) {
		return outer.Err // an *Error says where
	}
	return err
}
