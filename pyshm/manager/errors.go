package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pyshm-go/pyshm/format/pickle"
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

var (
	// ErrEmpty is queue.Empty: get has not waited, or not long enough, for an item.
	ErrEmpty = errors.New("the queue is empty")

	// ErrFull is queue.Full: put has not waited, or not long enough, for room.
	ErrFull = errors.New("the queue is full")

	// ErrStop is StopIteration: an iterator has no more items.
	ErrStop = errors.New("the iterator has no more items")
)

// An Error names what failed, the segment, the manager, and the reason. Every error
// of this package has this type, except errors of package pyshm in Create and
// CreateList.
//
// errors.Is finds the reason: [ErrAuth], [ErrNotTracked], [ErrOwned], [ErrShutdown],
// [fs.ErrNotExist] (there is no such segment), [fs.ErrInvalid] (an argument is
// refused), [fs.ErrClosed] (the Proxy has been closed), [ErrEmpty], [ErrFull],
// [ErrStop], syscall.ECONNREFUSED (there is no server), io.ErrUnexpectedEOF (the
// server ended in the middle), [errors.ErrUnsupported], the context's error, or
// another errno. errors.As finds a [RemoteError], or a *pickle.Error.
type Error struct {
	Op      string // "start", "serve", "track", "release", ...
	Name    string // of the segment or the object; "" when the error concerns none
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

// A RemoteError is an exception that was raised in the server. It has a Class if an
// object has raised it: Python's clients then raise the same exception. Otherwise the
// server refused a request, and it has the text of a traceback: Python's clients raise
// multiprocessing.managers.RemoteError.
//
// errors.Is finds [ErrNotTracked], [ErrOwned], [fs.ErrNotExist], [ErrEmpty], [ErrFull] or
// [ErrStop] in it if the exception means that.
//
// A function that a [Manager] calls for a client can return a RemoteError with a Class:
// the client then raises that exception.
type RemoteError struct {
	Traceback string       // as the server sent it, if there is no Class
	Class     pickle.Class // of the exception, such as {"builtins", "KeyError"}
	Args      pickle.Tuple // of the exception
	// Exception is the exception with its state, if it was received: format/pickle writes it
	// as it came.
	Exception *pickle.Object
}

// Error returns the exception, or the last line of the traceback, which is the exception
// itself. Its meaning goes before it where the exception alone does not show the meaning.
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
	if e.Class != (pickle.Class{}) {
		name := strings.TrimPrefix(e.Class.String(), "builtins.")
		args := strings.TrimSuffix(pickle.Repr(orNone(e.Args), 4*maxExcerpt), ",)")
		return name + strings.TrimSuffix(args, ")") + ")"
	}
	if e.Exception != nil {
		return pickle.Repr(e.Exception, 4*maxExcerpt)
	}
	// The stack is indented. Notes may follow the exception, as of PicklingError in 3.14.
	text := strings.TrimRight(e.Traceback, "\n")
	if i := strings.LastIndex(text, "\n  "); i >= 0 {
		_, after, _ := strings.Cut(text[i+1:], "\n")
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func orNone(args pickle.Tuple) pickle.Tuple {
	if args == nil {
		return pickle.Tuple{}
	}
	return args
}

// Is implements the comparisons of errors.Is.
func (e *RemoteError) Is(target error) bool {
	switch target {
	case ErrEmpty:
		// CPython's name for it is _queue.Empty, PyPy's queue.Empty.
		return e.Class == queueEmpty || e.Class == pickle.Class{Module: "_queue", Name: "Empty"}
	case ErrFull:
		return e.Class == queueFull
	case ErrStop:
		return e.Class == stopIteration
	case ErrNotTracked:
		return strings.HasPrefix(e.exception(), "ValueError: list.remove(") // the rest depends on the Python
	case ErrOwned:
		return strings.HasPrefix(e.exception(), "ValueError: "+ErrOwned.Error())
	case fs.ErrNotExist:
		return e.Class == builtin("FileNotFoundError") || strings.HasPrefix(e.exception(), "FileNotFoundError:")
	}
	return false
}

var (
	queueEmpty    = pickle.Class{Module: "queue", Name: "Empty"}
	queueFull     = pickle.Class{Module: "queue", Name: "Full"}
	stopIteration = builtin("StopIteration")
)

func builtin(name string) pickle.Class { return pickle.Class{Module: "builtins", Name: name} }

// invalid returns the error about a refused argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}
