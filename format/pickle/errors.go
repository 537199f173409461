package pickle

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of this package are *[Error] values around one of these.
var (
	// ErrSyntax: the bytes are not a pickle that Python would read. They are cut off,
	// or have an unknown opcode, or the stack lacks the values that an opcode needs.
	ErrSyntax = errors.New("malformed pickle")
	// ErrTruncated: the pickle ends before its STOP. It is an ErrSyntax.
	ErrTruncated = fmt.Errorf("%w: the pickle is cut off", ErrSyntax)
	// ErrOpcode: no protocol has the opcode. It is an ErrSyntax.
	ErrOpcode = fmt.Errorf("%w: unknown opcode", ErrSyntax)
	// ErrLimit: the pickle, or the value to write, exceeds a limit of [Limits] or
	// [Options].
	ErrLimit = errors.New("limit exceeded")
	// ErrUnsupported: the pickle is well-formed, but needs something besides its
	// bytes, or has something that this package cannot keep without loss: see the
	// package documentation. It is an [errors.ErrUnsupported].
	ErrUnsupported = fmt.Errorf("not supported: %w", errors.ErrUnsupported)
	// ErrRecursive: a value contains itself.
	ErrRecursive = errors.New("recursive value")
	// ErrKey: a list, dict, set or bytearray is a key of a dict or an item of a
	// set, which Python calls unhashable.
	ErrKey = errors.New("unhashable key")
	// ErrUTF8: a str is not valid UTF-8. When reading, lone surrogates are allowed,
	// too: see [Surrogates].
	ErrUTF8 = errors.New("str is not valid UTF-8")
	// ErrType: Marshal has no Python type for this Go type.
	ErrType = errors.New("unsupported type")
	// ErrValue: the Go type is right, but Python has no such value: a date in the
	// year 0, a duration with nanoseconds.
	ErrValue = errors.New("value that Python does not have")
)

// An Error describes why a pickle could not be read, or a value not written.
type Error struct {
	Op     string // "unmarshal" or "marshal"
	Offset int    // of the opcode in the pickle, in bytes; -1 if the error is not about an opcode
	Opcode string // the opcode's name in Python's pickletools, if there is one at Offset
	Path   string // for marshal, the place in the value: "[2].State"
	Err    error
}

func (e *Error) Error() string {
	var at strings.Builder
	switch {
	case e.Offset >= 0 && e.Opcode != "":
		fmt.Fprintf(&at, "opcode %s at byte %d: ", e.Opcode, e.Offset)
	case e.Offset >= 0:
		fmt.Fprintf(&at, "at byte %d: ", e.Offset)
	case e.Path != "":
		fmt.Fprintf(&at, "value%s: ", e.Path)
	}
	return fmt.Sprintf("pickle: %s: %s%v", e.Op, at.String(), e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

func syntaxf(format string, args ...any) error      { return wrapf(ErrSyntax, format, args...) }
func limitf(format string, args ...any) error       { return wrapf(ErrLimit, format, args...) }
func unsupportedf(format string, args ...any) error { return wrapf(ErrUnsupported, format, args...) }
func valuef(format string, args ...any) error       { return wrapf(ErrValue, format, args...) }

// A reason is a sentinel error with the details of one case.
type reason struct {
	text string
	kind error
}

func wrapf(kind error, format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), kind}
}

func (r *reason) Error() string {
	kind, _, _ := strings.Cut(r.kind.Error(), ": ")
	return kind + ": " + r.text
}

func (r *reason) Unwrap() error { return r.kind }
