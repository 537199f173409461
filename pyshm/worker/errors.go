package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"
)

// ErrBusy is the reason when as many calls wait for a worker as [Options.Queue] allows.
var ErrBusy = errors.New("too many calls wait for a worker")

// An Error has the operation that failed, the function that was called, and the reason. It
// is the type of every error of this package but [PythonError], [CrashError] and
// [StartError], and the errors of the caller's own functions.
//
// errors.Is finds the reason: [ErrBusy], [fs.ErrClosed] (the pool is closed),
// [fs.ErrInvalid] (an argument is refused), [errors.ErrUnsupported], the context's error,
// or an error of package pyshm, connection or pickle.
type Error struct {
	Op       string // "call", "do", "new array", "start", "close"
	Function string // of a call; "" otherwise
	Err      error  // the reason
}

func (e *Error) Error() string {
	if e.Function == "" {
		return fmt.Sprintf("worker: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("worker: %s %q: %v", e.Op, e.Function, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

func wrap(op, function string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Function: function, Err: err}
}

// invalid returns the error about a refused argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}

// A PythonError is an exception that a function has raised. The worker goes on.
type PythonError struct {
	Function  string
	Class     string // "ValueError", or with its module: "shapes.EmptyShape"
	Message   string // str of the exception
	Args      []any  // the exception's args, in the types of package format/pickle
	Traceback string // as Python prints it, several lines
}

// Error returns, for example
//
//	worker: call "blur": ValueError: "radius must be positive"
func (e *PythonError) Error() string {
	class := e.Class
	if !className.MatchString(class) {
		class = fmt.Sprintf("%q", class)
	}
	return fmt.Sprintf("worker: call %q: %s: %q", e.Function, class, e.Message)
}

var className = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// A CrashError is the error of a call whose worker ended before it returned a result: it
// was killed, it called sys.exit or os._exit, it closed the connection, or what it sent was
// no reply. The function may have done its work, a part of it, or nothing. The pool starts
// another worker.
type CrashError struct {
	Function string
	Pid      int      // of the worker; 0 if another program started it
	Err      error    // how the worker ended, for example "signal: killed"
	Output   []string // the last lines that it wrote to standard error
	begun    bool     // the call may have begun
}

func (e *CrashError) Error() string {
	return fmt.Sprintf("worker: call %q: the worker ended: %v%s", e.Function, e.Err, lastLine(e.Output))
}

// Unwrap returns how the worker ended.
func (e *CrashError) Unwrap() error { return e.Err }

// A StartError is the error of [Start], and of calls while no worker can start: why the
// last worker did not.
type StartError struct {
	Pid    int      // of the worker; 0 if there was no process
	Err    error    // for example "exit status 1"
	Output []string // the last lines that it wrote to standard error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("worker: a worker cannot start: %v%s", e.Err, lastLine(e.Output))
}

// Unwrap returns why the worker did not start.
func (e *StartError) Unwrap() error { return e.Err }

// lastLine returns the last line of a worker's output, which names the exception if Python
// has printed a traceback.
func lastLine(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(output[i]); line != "" {
			return fmt.Sprintf("; it wrote %q", line)
		}
	}
	return ""
}

// timeoutError is the reason when a worker that was started has not said anything.
func timeoutError(d time.Duration) error {
	return fmt.Errorf("%w: it has not replied within %v", context.DeadlineExceeded, d)
}
