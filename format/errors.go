package format

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The reasons of this package's errors. Every error is an [*Error] around one
// of these, or around a [*CorruptError] that names the bytes that are wrong.
var (
	// ErrCorrupt: the bytes are not a list, or are one no longer.
	ErrCorrupt = errors.New("not a valid ShareableList")
	// ErrIncomplete: another process is still creating the list, or gave up
	// half-way. The buffer has no bytes at all, or no items but bytes behind the
	// header, or a table or formats that are not written yet.
	ErrIncomplete = errors.New("the list is not complete yet")
	// ErrUnaligned: Attach needs a buffer that begins at a multiple of 8.
	ErrUnaligned = errors.New("the buffer is not 8-byte aligned")
	// ErrIndex: the index is negative or not below the list's length.
	ErrIndex = errors.New("index out of range")
	// ErrKind: the item is of another kind than the method reads.
	ErrKind = errors.New("item is of another kind")
	// ErrType: a value of this Go type cannot be an item.
	ErrType = errors.New("unsupported type")
	// ErrRange: the number does not fit an int64.
	ErrRange = errors.New("int out of range")
	// ErrTooLong: the str or bytes exceeds the item's slot, whose size is fixed. A list
	// that is created with [Sized] items has room for longer ones.
	ErrTooLong = errors.New("value exceeds the slot")
	// ErrTooLarge: the str or bytes exceeds what any list can hold ([MaxText]).
	ErrTooLarge = errors.New("value too large")
	// ErrTrailingNUL: the str or bytes ends in a NUL, and readers strip NULs there.
	ErrTrailingNUL = errors.New("value ends in NUL, which Python would strip")
	// ErrUTF8: the str is not valid UTF-8.
	ErrUTF8 = errors.New("str is not valid UTF-8")
	// ErrBusy: for about 5 ms the item was in the middle of a write. A process writes
	// it without pause, or its writer died, or two writers without a common lock
	// wrote it at the same time. A Set mends the item in the last two cases.
	ErrBusy = errors.New("item is being written")
	// ErrReadOnly: the list was attached with AttachReadOnly. It is an
	// [fs.ErrPermission].
	ErrReadOnly = fmt.Errorf("the list is read-only: %w", fs.ErrPermission)
	// ErrNotFound: Index found no equal item.
	ErrNotFound = errors.New("value is not in the list")
	// ErrSyntax: the text is not a literal that ParseRepr reads.
	ErrSyntax = errors.New("invalid literal")
)

// An Error records which operation failed, on which item, and why.
type Error struct {
	Op    string // "attach", "get", "set", "encode", …
	Index int    // the item, -1 if the error is not about a single item
	Err   error
}

func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("format: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("format: %s item %d: %v", e.Op, e.Index, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// A CorruptError names the part of the bytes that cannot be right. It wraps
// [ErrCorrupt]. For a slot it names the table entry where the slot begins. The next
// entry, where the slot ends, may be the wrong one.
type CorruptError struct {
	Field  string // "size", "count", "table", "format" or "code"
	Index  int    // the entry or item, -1 where the field has only one
	Offset int    // of the field, in bytes from the start of the buffer
	Reason string
}

func (e *CorruptError) Error() string {
	field := e.Field
	if e.Index >= 0 {
		field = fmt.Sprintf("%s[%d]", e.Field, e.Index)
	}
	return fmt.Sprintf("%v: %s at offset %d: %s", ErrCorrupt, field, e.Offset, e.Reason)
}

func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// itemErr returns nil if err is nil, so that a caller can wrap any result.
func itemErr(op string, i int, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Index: i, Err: err}
}

// listErr is itemErr for an error that does not concern a single item.
func listErr(op string, err error) error { return itemErr(op, -1, err) }

// excerpt returns s for an error message, cut to its beginning if s is long.
func excerpt(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
