package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// ErrAuth is the reason when server and client have different authkeys, or have no
// digest in common that both may use.
var ErrAuth = wire.ErrAuth

// ErrNotTracked is the reason when a name cannot be released or untracked because
// the manager does not track it.
var ErrNotTracked = errors.New("the name is not tracked")

// ErrOwned is the reason when another manager, or pyshm hold, keeps the name of a
// segment, in this process or another. Each of two managers would restore the names
// that the other releases.
var ErrOwned = errors.New("another manager or pyshm hold keeps the name")

// ErrShutdown is the reason when a manager is used after it has been shut down.
var ErrShutdown = errors.New("the manager has been shut down")

// An Error names what failed, the segment, the manager, and the reason. Every error
// of this package has this type, except errors of package pyshm in Create and
// CreateList.
//
// errors.Is finds the reason: [ErrAuth], [ErrNotTracked], [ErrOwned], [ErrShutdown],
// [fs.ErrNotExist] (there is no such segment), [fs.ErrInvalid] (an argument is
// refused), syscall.ECONNREFUSED (there is no server), io.ErrUnexpectedEOF (the
// server ended in the middle), [errors.ErrUnsupported], the context's error, or
// another errno. errors.As finds a [RemoteError].
type Error struct {
	Op      string // "start", "serve", "track", "release", ...
	Name    string // of the segment; "" when the error concerns none
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

// A RemoteError is an exception that was raised in the server. Python's clients
// raise it as multiprocessing.managers.RemoteError. errors.Is finds [ErrNotTracked],
// [ErrOwned] or [fs.ErrNotExist] in it if the exception means that.
type RemoteError struct {
	Traceback string // as the server sent it
}

// Error returns the last line of the traceback, which is the exception itself. Its
// meaning goes before it where the exception alone does not show the meaning.
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
		return strings.HasPrefix(e.exception(), "ValueError: list.remove(") // the rest depends on the Python
	case ErrOwned:
		return strings.HasPrefix(e.exception(), "ValueError: "+ErrOwned.Error())
	case fs.ErrNotExist:
		return strings.HasPrefix(e.exception(), "FileNotFoundError:")
	}
	return false
}

// invalid returns the error about a refused argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}
