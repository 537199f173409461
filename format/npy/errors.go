package npy

import (
	"errors"
	"fmt"
	"strings"
)

// The reasons of this package's errors. Every error is an [*Error] around one of
// these.
var (
	// ErrHeader: the bytes do not begin with a header that this package reads.
	ErrHeader = errors.New("not a valid .npy header")
	// ErrIncomplete: the bytes end inside the header, or zeros stand where the
	// header should be. Another process is still writing it, or gave up half-way.
	// ErrIncomplete wraps ErrHeader.
	ErrIncomplete = fmt.Errorf("%w: it is not complete", ErrHeader)
	// ErrDtype: the text is no dtype, or the dtype or the Go type is one that
	// cannot be shared: it holds pointers, has no fixed size, or has no bytes.
	ErrDtype = errors.New("unsupported dtype")
	// ErrByteOrder: the numbers are in the byte order of other machines.
	// [Dtype.Swap] turns a copy of them.
	ErrByteOrder = errors.New("other byte order")
	// ErrMismatch: the elements are not of the Go type.
	ErrMismatch = errors.New("elements do not match the type")
	// ErrShape: too many axes, a negative length, more bytes than fit an int, or a
	// buffer that does not hold whole elements.
	ErrShape = errors.New("invalid shape")
	// ErrText: a text has a code point that does not exist, ends in NUL, or is too
	// long.
	ErrText = errors.New("invalid text")
)

// An Error holds what failed, where, and why.
type Error struct {
	Op     string // "parse dtype", "dtype of", "check", "parse header", "append header", "size", "swap", "text"
	Path   string // the field at fault: "Tick.price"; empty if it is no field
	Offset int    // the place of the fault in the text or header, in bytes; -1 if it has no place
	Err    error
}

func (e *Error) Error() string {
	text := e.Err.Error()
	if e.Offset >= 0 {
		text = fmt.Sprintf("at byte %d: %s", e.Offset, text)
	}
	return fmt.Sprintf("npy: %s: %s", e.Op, text)
}

func (e *Error) Unwrap() error { return e.Err }

// A reason wraps a sentinel and describes one case of it.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

func reasonf(kind error, format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), kind}
}

// failf returns an error without an offset.
func failf(op, path string, kind error, format string, args ...any) error {
	return &Error{Op: op, Path: path, Offset: -1, Err: reasonf(kind, format, args...)}
}

// excerpt quotes s for a message, or its beginning if it is long.
func excerpt(s string) string {
	const limit = 60
	if len(s) <= limit {
		return quote(s)
	}
	return quote(strings.ToValidUTF8(s[:limit], "")) + "…"
}
