package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
)

// An exception is the one that CPython's server would raise. It goes into the
// traceback that Python's clients print as their RemoteError.
type exception struct{ kind, message string }

func exceptionf(kind, format string, args ...any) error {
	return &exception{kind, fmt.Sprintf(format, args...)}
}

// Error returns the last line of a traceback.
func (e *exception) Error() string { return e.kind + ": " + e.message }

// notTracked is the exception of CPython's server that stands for ErrNotTracked.
var notTracked = exceptionf("ValueError", "list.remove(x): x not in list")

// traceback returns the text that a client gets when its request fails. All errors
// but exceptions are about the segment. The text is UTF-8, whatever an error quotes:
// no client could read the reply otherwise.
func traceback(err error, segment string) string {
	return "Traceback (most recent call last):\n" + strings.ToValidUTF8(asException(err, segment).Error(), "\ufffd") + "\n"
}

func asException(err error, segment string) error {
	var raised *exception
	var errno syscall.Errno
	switch {
	case errors.As(err, &raised):
		return raised
	case errors.Is(err, ErrNotTracked):
		return notTracked
	case errors.As(err, &errno):
		return exceptionf(pythonOSError(errno), "[Errno %d] %s: %s", int(errno), capitalised(errno.Error()), format.Repr("/"+strings.TrimPrefix(segment, "/")))
	}
	return exceptionf("ValueError", "%v: %s", err, format.Repr(segment))
}

func pythonOSError(errno syscall.Errno) string {
	switch {
	case errors.Is(errno, fs.ErrNotExist):
		return "FileNotFoundError"
	case errors.Is(errno, fs.ErrPermission):
		return "PermissionError"
	}
	return "OSError"
}

// capitalised turns Go's text of an errno into the text of strerror(3).
func capitalised(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
