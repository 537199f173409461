package pyshm

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// ErrFault is the reason when memory of a segment could not be touched: its
// file has been cut short by another process, a [Sparse] segment found
// /dev/shm full when it first used a page, or a raw slice of a [ReadOnly]
// segment was written to.
var ErrFault = errors.New("memory fault (segment truncated, out of memory, or read-only)")

// ErrNotSemaphore is the reason when this machine's glibc cannot have made the file
// of a lock or semaphore: the file has another size, or is not marked as shared
// between processes. It may belong to another libc, or to a 64-bit one where this
// program is 32-bit.
var ErrNotSemaphore = sem.ErrNotSemaphore

// ErrNotAcquired is the reason when a caller releases a lock that no process holds, or
// a semaphore whose value has reached its bound. Python's error is "semaphore or lock
// released too many times".
var ErrNotAcquired = errors.New("released too many times: it is not acquired")

// An Error has the operation that failed, the segment and the reason. It is the type
// of every error of this package, except the bare [io.EOF] of [SharedMemory.ReadAt]
// and the errors that the caller's own functions return.
//
// errors.Is finds the reason: [fs.ErrExist], [fs.ErrNotExist],
// [fs.ErrPermission], [fs.ErrInvalid] (an argument is refused),
// [fs.ErrClosed], [errors.ErrUnsupported], [ErrFault], an errno, or a sentinel
// of package format or npy.
//
// If /dev/shm itself is the cause, the error names it, and is never
// [fs.ErrNotExist]: it is [errors.ErrUnsupported] if there is no such folder,
// syscall.EROFS if the folder is mounted read-only, and [fs.ErrPermission] if this
// user may not use it.
type Error struct {
	Op   string // "create", "attach", "read", ...
	Name string // the segment's, without a slash; "" if it has none
	Err  error  // the reason
}

func (e *Error) Error() string {
	what, of, why := e.Op, "", e.Err
	// The text of a format.Error would repeat the operation and the package.
	if inner, ok := e.Err.(*format.Error); ok {
		why = inner.Err
		if inner.Index >= 0 {
			what += fmt.Sprintf(" item %d", inner.Index)
			of = " of"
		}
	}
	if e.Name != "" {
		what += fmt.Sprintf("%s %q", of, e.Name)
	}
	return fmt.Sprintf("pyshm: %s: %v", what, why)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// A reason is an error of a known kind with its own text.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

func invalid(format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), fs.ErrInvalid}
}

var (
	errClosed   = &reason{"the handle is closed", fs.ErrClosed}
	errReadOnly = &reason{"the segment is attached read-only", fs.ErrPermission}
	errNoSize   = &reason{"the segment has no size yet: its creator is at work, or gave up", format.ErrIncomplete}
	errRenamed  = &reason{"the name belongs to another segment now", fs.ErrNotExist}
	errNoID     = &reason{"a segment has the name, and this system does not say whether it is this one", errors.ErrUnsupported}
	errInUse    = &reason{"a process that could not be found has the segment open or mapped", syscall.EBUSY}
	errPipe     = &reason{"it is a pipe, which processes open and do not map", errors.ErrUnsupported}
	errUnlisted = &reason{"not a segment that Segments listed", fs.ErrInvalid}
)

// An npyReason is an error of package npy without the words that an [*Error] has
// already. It wraps [format.ErrIncomplete] as well if a header is not complete.
type npyReason struct {
	text string
	err  *npy.Error
}

func (r *npyReason) Error() string { return r.text }

func (r *npyReason) Unwrap() []error {
	if errors.Is(r.err, npy.ErrIncomplete) {
		return []error{r.err, format.ErrIncomplete}
	}
	return []error{r.err}
}

// ofNpy makes an error of package npy a reason, and returns other errors as they are.
func ofNpy(err error) error {
	e, ok := err.(*npy.Error)
	if !ok {
		return err
	}
	return &npyReason{strings.TrimPrefix(e.Error(), "npy: "+e.Op+": "), e}
}

// wrap returns err as an *Error, and unchanged if it is one.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	var of *memberError
	if errors.As(err, &of) {
		name, err = of.name, of.err
	}
	return &Error{Op: op, Name: strings.TrimPrefix(name, "/"), Err: remedied(op, err)}
}

// rewrap is wrap for the error of a part, whose own operation and name are not what the
// caller has called.
func rewrap(op, name string, err error) error {
	var inner *Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return wrap(op, name, err)
}

// remedied adds a remedy or an explanation to a bare errno.
func remedied(op string, err error) error {
	if err == errors.ErrUnsupported {
		return &reason{"shared memory is not supported on " + runtime.GOOS, err}
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	remedy := ""
	switch {
	case errno == syscall.ENOSPC:
		remedy = "unlink segments that no process uses, or enlarge /dev/shm"
	case errno == syscall.EEXIST && ofSeveralNames(op):
		remedy = "attach to the " + op[strings.LastIndex(op, " ")+1:] + " that it belongs to, or unlink that"
	case errno == syscall.EEXIST && slices.Contains([]string{"create", opCreateList, opCreateArray, opCreateFrom}, op):
		remedy = "attach to it, unlink it, or use Replace; a Python that has the old segment removes the name when it ends, except under WorkerEnv"
	case errno == syscall.EEXIST:
		remedy = "attach to it, unlink it, or use Replace"
	case errno == syscall.ENOENT && (strings.HasPrefix(op, "create") || strings.HasPrefix(op, "open")):
		remedy = "another process has removed its temporary name"
	case errno == syscall.ENOENT:
		remedy = "not created yet, or unlinked"
	case errno == syscall.EPERM:
		remedy = "only the owner of a segment may do this"
	case errno == syscall.ENOMEM:
		remedy = "no room in the address space, or too many mappings"
	case errno == syscall.EMFILE:
		remedy = "this process has as many descriptors open as ulimit -n allows"
	case errno == syscall.ENFILE:
		remedy = "all processes together have as many files open as fs.file-max allows"
	case errno == syscall.EAGAIN:
		remedy = "another process has a lease on it, or is looking whether it is in use"
	case errno == syscall.ELOOP:
		remedy = "a symbolic link is not a segment"
	default:
		return err
	}
	return &reason{errno.Error() + " (" + remedy + ")", errno}
}

// ofSeveralNames reports whether an operation makes objects that have several names.
func ofSeveralNames(op string) bool {
	what := op[strings.LastIndex(op, " ")+1:]
	return slices.Contains([]string{"condition", "event", "value", "barrier", "queue"}, what)
}

// refused returns the error for a segment that this process may not open, with its
// mode and with remedies that fit the options.
func refused(file string, o attachOptions) error {
	info, err := shmfile.Lookup(file)
	if err != nil {
		return syscall.EACCES
	}
	remedy := fmt.Sprintf("the owner, user %d, can change that with chmod", info.UID)
	if !o.readOnly && !o.lock {
		if f, err := shmfile.Open(file, true); err == nil {
			f.Close()
			remedy = "attach with ReadOnly, or " + remedy
		}
	}
	text := fmt.Sprintf("%v (its mode is %04o: %s)", syscall.EACCES, info.Mode.Perm(), remedy)
	return &reason{text, syscall.EACCES}
}
