package connection

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

var (
	// ErrAuth is the reason when the peer has another authkey, when only one of the two has
	// one, or when one of them knows no digest that the other may use.
	ErrAuth = wire.ErrAuth

	// ErrProtocol is the reason when the peer sends bytes that Python's
	// multiprocessing.connection would never send.
	ErrProtocol = wire.ErrProtocol

	// ErrTooLong is the reason when a frame is longer than [Conn.Limit] allows.
	ErrTooLong = wire.ErrTooLong
)

// An Error names what failed, at which address and why. It is the type of every error of
// this package but one: [io.EOF] from Recv and RecvBytes, which is bare.
//
// errors.Is finds the reason: [ErrAuth], [ErrProtocol], [ErrTooLong], [io.ErrUnexpectedEOF]
// (the peer ended in the middle of a frame or of the handshake), [fs.ErrClosed] (this end
// has been closed), [fs.ErrInvalid] (an argument is refused), [errors.ErrUnsupported], the
// context's error, a *pickle.Error, syscall.ECONNREFUSED (no server listens there),
// syscall.EPIPE (the peer has ended), or another errno.
type Error struct {
	Op      string // "dial", "listen", "accept", "send", "recv", ...
	Address string // of the server, or of the client if accepted; "" for a pipe
	Err     error  // the reason
}

func (e *Error) Error() string {
	s := "connection: " + e.Op
	if e.Address != "" {
		s += fmt.Sprintf(" at %q", e.Address)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes err, which may be nil, an *Error.
func wrap(op, address string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Address: address, Err: err}
}

// invalid returns the error about a refused argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}

// errGone is the reason when the peer, or its connection, ended too early.
var errGone = fmt.Errorf("%w: the peer closed the connection", io.ErrUnexpectedEOF)

// isInterrupted reports whether a context has ended a read or a write.
func isInterrupted(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
