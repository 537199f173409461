package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// ErrAuth is the reason when the server has another authkey than the client, or
// one of the two knows no digest that the other may use.
var ErrAuth = wire.ErrAuth

// ErrNotTracked is the reason when a name is to be released that the manager
// does not track.
var ErrNotTracked = errors.New("the name is not tracked")

// ErrOwned is the reason when another manager, or pyshm hold, keeps the name of a
// segment, in this process or another. Each would restore what the other releases.
var ErrOwned = errors.New("another manager or pyshm hold keeps the name")

// ErrShutdown is the reason when a manager is used that has been shut down.
var ErrShutdown = errors.New("the manager has been shut down")

// An Error tells what failed, for which segment, at which manager and why. It
// is the type of every error of this package, except those of package pyshm
// from Create and CreateList.
//
// errors.Is finds the reason: [ErrAuth], [ErrNotTracked], [ErrOwned], [ErrShutdown],
// [fs.ErrNotExist] (there is no such segment), [fs.ErrInvalid] (an argument is
// refused), syscall.ECONNREFUSED (there is no server), io.ErrUnexpectedEOF (the
// server ended in the middle), [errors.ErrUnsupported], the context's error, or
// another errno. errors.As finds a [RemoteError].
type Error struct {
	Op      string // "start", "serve", "track", "release", ...
	Name    string // of the segment; "" when it is about none
	Address string // of the server; "" in errors of a Manager itself
	Err     error  // the reason
}

func (e *Error) Error() string {
	s := "manager: " + e.Op
	if e.Name != "" {
		s += fmt.Sprintf(" %q", e.Name)
	}
	if e.Address != "" {
		s += fmt.Sprintf(" at %q", e.Address)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// wrap makes err, which may be nil, an *Error of a Manager.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Name: strings.TrimPrefix(name, "/"), Err: err}
}

// A RemoteError is an exception that was raised in the server: what Python's
// clients raise as multiprocessing.managers.RemoteError. It is [ErrNotTracked],
// [ErrOwned] or [fs.ErrNotExist] where the exception says so.
type RemoteError struct {
	Traceback string // as the server sent it
}

// Error returns the last line of the traceback, which is the exception itself,
// after what it means if it would not tell a reader.
func (e *RemoteError) Error() string {
	const longest = 300
	line := e.exception()
	text := fmt.Sprintf("exception in the server: %q", line[:min(longest, len(line))])
	if e.Is(ErrNotTracked) {
		return ErrNotTracked.Error() + ": " + text
	}
	return text
}

func (e *RemoteError) exception() string {
	text := strings.TrimRight(e.Traceback, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Is implements the comparisons of errors.Is.
func (e *RemoteError) Is(target error) bool {
	switch target {
	case ErrNotTracked:
		return strings.HasPrefix(e.exception(), "ValueError: list.remove(") // and more, which depends on the Python
	case ErrOwned:
		return strings.HasPrefix(e.exception(), "ValueError: "+ErrOwned.Error())
	case fs.ErrNotExist:
		return strings.HasPrefix(e.exception(), "FileNotFoundError:")
	}
	return false
}

// invalid is the error about an argument that is refused.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}
