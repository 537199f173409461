package manager

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// raisedBy returns the exception that a client raises for an error.
func raisedBy(err error) *pickle.Object {
	var raised *RemoteError
	var mine *exception
	var errno syscall.Errno
	switch {
	case errors.As(err, &raised) && raised.Exception != nil:
		return raised.Exception
	case errors.As(err, &raised) && raised.Class != (pickle.Class{}):
		return &pickle.Object{Class: raised.Class, Args: raised.Args}
	case errors.Is(err, ErrEmpty):
		return &pickle.Object{Class: queueEmpty}
	case errors.Is(err, ErrFull):
		return &pickle.Object{Class: queueFull}
	case errors.Is(err, ErrStop):
		return &pickle.Object{Class: stopIteration}
	case errors.As(err, &mine) && !strings.Contains(mine.kind, "."):
		return message(mine.kind, mine.message)
	case errors.Is(err, pickle.ErrKey):
		return message("TypeError", err.Error())
	case errors.As(err, &errno):
		return &pickle.Object{Class: builtin("OSError"), Args: pickle.Tuple{int(errno), valid(err.Error())}}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		return message("TimeoutError", err.Error())
	}
	return message("RuntimeError", err.Error())
}

func message(class, text string) *pickle.Object {
	return &pickle.Object{Class: builtin(class), Args: pickle.Tuple{valid(text)}}
}

func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// raisedLine returns the last line of a traceback for an error of a request.
func raisedLine(err error) error {
	o := raisedBy(err)
	var errno syscall.Errno
	if o.Class == builtin("OSError") && errors.As(err, &errno) {
		return exceptionf(pythonOSError(errno), "[Errno %d] %s", int(errno), valid(err.Error()))
	}
	text := pickle.Repr(orNone(o.Args), 4*maxExcerpt)
	if len(o.Args) == 1 {
		text = pickle.Repr(o.Args[0], 4*maxExcerpt)
		if s, ok := o.Args[0].(string); ok && o.Class != builtin("KeyError") {
			text = s
		}
	}
	return exceptionf(strings.TrimPrefix(o.Class.String(), "builtins."), "%s", valid(text))
}
