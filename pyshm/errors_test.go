package pyshm

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestErrorText(t *testing.T) {
	testkit.NeedKeptNames(t)
	for _, tc := range []struct {
		err  error
		want string
		is   error
	}{
		{wrap("create", "/x", syscall.EEXIST), `pyshm: create "x": file exists (attach to it, unlink it, or use Replace; a Python that has the old segment removes the name when it ends, except under WorkerEnv)`, fs.ErrExist},
		{wrap("create", "", syscall.ENOSPC), `pyshm: create: no space left on device (unlink segments that no process uses, or enlarge /dev/shm)`, syscall.ENOSPC},
		{wrap("attach", "x", syscall.ENOENT), `pyshm: attach "x": no such file or directory (not created yet, or unlinked)`, fs.ErrNotExist},
		{wrap("create", "x", syscall.ENOENT), `pyshm: create "x": no such file or directory (another process has removed its temporary name)`, fs.ErrNotExist},
		{wrap("attach", "x", syscall.EMFILE), `pyshm: attach "x": too many open files (this process has as many descriptors open as ulimit -n allows)`, syscall.EMFILE},
		{wrap("attach", "x", syscall.ENFILE), `pyshm: attach "x": too many open files in system (all processes together have as many files open as fs.file-max allows)`, syscall.ENFILE},
		{wrap("attach", "x", syscall.EAGAIN), `pyshm: attach "x": resource temporarily unavailable (another process has a lease on it, or is looking whether it is in use)`, syscall.EAGAIN},
		{wrap("create lock", "x", syscall.EEXIST), `pyshm: create lock "x": file exists (attach to it, unlink it, or use Replace)`, fs.ErrExist},
		{wrap("create event", "x.flag", syscall.EEXIST), `pyshm: create event "x.flag": file exists (attach to the event that it belongs to, or unlink that)`, fs.ErrExist},
		{wrap("create", "x", syscall.EACCES), `pyshm: create "x": permission denied`, fs.ErrPermission},
		{wrap("unlink", "x", syscall.EPERM), `pyshm: unlink "x": operation not permitted (only the owner of a segment may do this)`, fs.ErrPermission},
		{wrap("write", "x", errReadOnly), `pyshm: write "x": the segment is attached read-only`, fs.ErrPermission},
		{wrap("read", "x", ErrFault), `pyshm: read "x": memory fault (segment truncated, out of memory, or read-only)`, ErrFault},
		{wrap("attach", "a/b", invalid("the name contains a slash")), `pyshm: attach "a/b": the name contains a slash`, fs.ErrInvalid},
		{wrap("set", "x", &format.Error{Op: "set", Index: 3, Err: format.ErrTooLong}), `pyshm: set item 3 of "x": value exceeds the slot`, format.ErrTooLong},
		{wrap("create", "", &format.Error{Op: "encode", Index: 3, Err: format.ErrUTF8}), `pyshm: create item 3: str is not valid UTF-8`, format.ErrUTF8},
		{wrap("attach", "x", &format.Error{Op: "attach", Index: -1, Err: format.ErrIncomplete}), `pyshm: attach "x": the list is not complete yet`, format.ErrIncomplete},
	} {
		if tc.err.Error() != tc.want {
			t.Errorf("%s\nwant %s", tc.err, tc.want)
		}
		if !errors.Is(tc.err, tc.is) {
			t.Errorf("%s is not %v", tc.err, tc.is)
		}
		if _, ok := tc.err.(*Error); !ok {
			t.Errorf("%s is a %T", tc.err, tc.err)
		}
	}
}

func TestErrorIsWrappedOnce(t *testing.T) {
	err := wrap("inner", "x", ErrFault)
	for _, err := range []error{err, fmt.Errorf("context: %w", err)} {
		if again := wrap("outer", "x", err); again != err {
			t.Errorf("%v", again)
		}
	}
	if err := wrap("op", "x", nil); err != nil {
		t.Error(err)
	}
}

func TestUnsupported(t *testing.T) {
	err := wrap("attach", "x", errors.ErrUnsupported)
	if !errors.Is(err, errors.ErrUnsupported) || err.Error() == errors.ErrUnsupported.Error() {
		t.Error(err)
	}
}
