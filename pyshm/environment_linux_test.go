//go:build !posixshm

package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// A brokenShm is a /dev/shm that cannot be used.
type brokenShm struct {
	what  string
	apply func() error
	is    error  // the kind of its errors
	says  string // a part of their text
	reads bool   // names can be looked up, so a missing name is an ordinary fs.ErrNotExist
}

var brokenShms = []brokenShm{
	{what: "missing", apply: func() error { return syscall.Mount("tmpfs", "/dev", "tmpfs", 0, "") },
		is: errors.ErrUnsupported, says: "/dev/shm does not exist"},
	{what: "a file", apply: func() error { return os.WriteFile("/dev/shm", nil, 0o600) },
		is: errors.ErrUnsupported, says: "/dev/shm is not a folder"},
	{what: "a link to nothing", apply: func() error { return errors.Join(os.Remove("/dev/shm"), os.Symlink("nothing", "/dev/shm")) },
		is: errors.ErrUnsupported, says: "/dev/shm does not exist"},
	{what: "read-only", apply: func() error {
		err := errors.Join(os.Remove("/dev/shm"), os.Mkdir("/dev/shm", 0o777))
		return errors.Join(err, syscall.Mount("tmpfs", "/dev/shm", "tmpfs", syscall.MS_RDONLY, ""))
	}, is: syscall.EROFS, says: "/dev/shm is mounted read-only", reads: true},
}

// If there is no /dev/shm, or it cannot be written to, the errors name that reason. They
// do not claim that a segment is missing, and no call waits for the reason to pass.
func TestBrokenShm(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	m, l := create(t, 64), createList(t, everyKind)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Cleanup(func() { syscall.Unmount("/dev", 2 /* MNT_DETACH */) }) // later tests need /dev
	for _, broken := range brokenShms {
		if err := broken.apply(); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"Create":     failed(pyshm.Create("x", 64)),
			"unnamed":    failed(pyshm.Create("", 64)),
			"Replace":    failed(pyshm.Create("x", 64, pyshm.Replace())),
			"CreateList": failed(pyshm.CreateList("x", everyKind)),
			"CreateLock": failed(pyshm.CreateLock("x")),
			"Event":      failed(pyshm.CreateEvent("x")),
		} {
			broken.check(t, what, err)
		}
		if broken.reads {
			broken.check(t, "Unlink", pyshm.Unlink("x"))
			if _, err := pyshm.Attach("x"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: Attach: %v", broken.what, err)
			}
			continue
		}
		_, errManager := manager.New()
		_, errAlias := m.Alias()
		var errSegments error
		for _, errSegments = range pyshm.Segments() {
		}
		for what, err := range map[string]error{
			"Attach":            failed(pyshm.Attach("x")),
			"AttachList":        failed(pyshm.AttachList("x")),
			"AttachLock":        failed(pyshm.AttachLock("x")),
			"AttachContext":     failed(pyshm.AttachContext(ctx, "x")),
			"AttachListContext": failed(pyshm.AttachListContext(ctx, "x")),
			"Alias":             errAlias,
			"Segments":          errSegments,
			"Unlink":            pyshm.Unlink("x"),
			"Unlink of a list":  l.Unlink(),
			"manager":           errManager,
		} {
			broken.check(t, what, err)
		}
	}
	if ctx.Err() != nil {
		t.Error("a minute was waited for")
	}
}

func (b *brokenShm) check(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, b.is) || errors.Is(err, fs.ErrNotExist) || err != nil && !strings.Contains(err.Error(), b.says) {
		t.Errorf("%s: %s: %v", b.what, what, err)
	}
}

// failed returns the error of a function that opens something.
func failed[H any](_ H, err error) error { return err }

// If the mode of /dev/shm refuses a user, the error names /dev/shm and not the segment.
func TestClosedShm(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	m := create(t, 64, pyshm.Mode(0o666))
	for _, tc := range []struct {
		mode    os.FileMode
		attach  bool // attaching is possible
		missing error
	}{
		{0o755, true, fs.ErrNotExist},
		{0o700, false, fs.ErrPermission},
	} {
		if err := os.Chmod("/dev/shm", tc.mode); err != nil {
			t.Fatal(err)
		}
		asAnotherThread(t, func() {
			closed := brokenShm{what: tc.mode.String(), is: fs.ErrPermission, says: "permission denied in /dev/shm itself, which belongs to user 0 and has mode 07"}
			closed.check(t, "Create", failed(pyshm.Create("x", 64)))
			closed.check(t, "Unlink", pyshm.Unlink(m.Name()))
			if _, err := pyshm.Attach("x"); !errors.Is(err, tc.missing) {
				t.Errorf("%v: Attach to what is missing: %v", tc.mode, err)
			}
			other, err := pyshm.Attach(m.Name())
			if tc.attach {
				if err != nil {
					t.Errorf("%v: %v", tc.mode, err)
				}
				other.Close()
			} else {
				closed.check(t, "Attach", err)
			}
		})
	}
}

// asAnotherThread runs f on a thread that has become another user, and ends.
func asAnotherThread(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		defer func() { done <- err }()
		const same = ^uintptr(0)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, same, 65534, same); errno != 0 {
			err = errno
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Skip("there is no other user: ", err)
	}
}

// Without /proc, segments can be made and used. The processes that map a segment are
// unknown then, which is not taken for the segment's being unused.
func TestWithoutProc(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "dev/shm"), 0o700); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := syscall.Mount("/dev/shm", filepath.Join(root, "dev/shm"), "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Chroot(root); err != nil {
		t.Fatal(err)
	}
	defer func() { // later tests need the old root
		if err := errors.Join(old.Chdir(), syscall.Chroot(".")); err != nil {
			t.Error(err)
		}
		syscall.Unmount(filepath.Join(root, "dev/shm"), 2 /* MNT_DETACH */)
	}()
	m := create(t, 64)
	testkit.WantNames(t, m.Name())
	s := segment(t, m.Name())
	if pids, err := s.Pids(); len(pids) > 0 || !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Pids = %v, %v", pids, err)
	}
	if err := s.UnlinkUnused(); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("UnlinkUnused of what is mapped: %v", err)
	}
	m.Close()
	if err := s.UnlinkUnused(); err != nil {
		t.Errorf("UnlinkUnused of what is not mapped: %v", err)
	}
}
