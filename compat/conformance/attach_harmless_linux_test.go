//go:build !posixshm

package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestAttachIsHarmless expects that Go attaches to a segment without a trace,
// whether it succeeds, fails or is killed. Python leaves some.
func TestAttachIsHarmless(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		t.Run("attached", func(t *testing.T) { testAttached(t, p) })
		t.Run("refused", func(t *testing.T) { testRefused(t, p) })
		t.Run("not permitted", func(t *testing.T) { testNotPermitted(t, p) })
		t.Run("killed", func(t *testing.T) { testKilled(t, p) })
	})
}

// A trace has everything that shows that a file was touched. It does not have the time
// of the last access, because attaching is an access.
type trace struct {
	Inode, Links       uint64
	Mode, Owner, Group uint32
	Size               int64
	Modified, Changed  syscall.Timespec
	Content            string // of a regular file that this user may read, if it is not too long
}

func traceOf(t *testing.T, name string) trace {
	t.Helper()
	info := must(os.Lstat(fileOf(name)))(t)
	st := info.Sys().(*syscall.Stat_t)
	found := trace{
		Inode: st.Ino, Links: uint64(st.Nlink), Mode: st.Mode, Owner: st.Uid, Group: st.Gid,
		Size: st.Size, Modified: st.Mtim, Changed: st.Ctim,
	}
	if readable := st.Mode&syscall.S_IRUSR != 0 || os.Geteuid() == 0; readable && info.Mode().IsRegular() && st.Size < 1<<20 {
		found.Content = string(fileBytes(t, name))
	}
	return found
}

// expectNoTrace returns a function that compares the file with its state of now.
func expectNoTrace(t *testing.T, name string) (compare func(when string)) {
	t.Helper()
	before := traceOf(t, name)
	time.Sleep(20 * time.Millisecond) // more than a tick of the clock that stamps files
	return func(when string) {
		t.Helper()
		if diff := cmp.Diff(before, traceOf(t, name)); diff != "" {
			t.Errorf("%s: (-before +after)\n%s", when, diff)
		}
	}
}

// waysToAttach are all the ways to attach.
var waysToAttach = map[string]func(name string) (io.Closer, error){
	"Attach":              func(name string) (io.Closer, error) { return pyshm.Attach(name) },
	"Attach ReadOnly":     func(name string) (io.Closer, error) { return pyshm.Attach(name, pyshm.ReadOnly()) },
	"AttachList":          func(name string) (io.Closer, error) { return pyshm.AttachList(name) },
	"AttachList ReadOnly": func(name string) (io.Closer, error) { return pyshm.AttachList(name, pyshm.ReadOnly()) },
}

func testAttached(t *testing.T, p *compat.Peer) {
	list := must(p.CreateList(newName(t), []any{-2, 1.5, true, nil, "hé", []byte("\x00ab"), "abcdefgh", ""}))(t)
	defer list.Unlink()
	empty := must(p.CreateList(newName(t), nil))(t)
	defer empty.Unlink()
	block := must(p.CreateBlock(newName(t), 5000))(t)
	defer block.Unlink()
	for _, row := range []struct {
		name string
		list bool
	}{
		{list.Name(), true}, {empty.Name(), true}, {block.Name(), false},
	} {
		expect := expectNoTrace(t, row.name)
		for way, attach := range waysToAttach {
			if strings.HasPrefix(way, "AttachList") && !row.list {
				continue
			}
			attached := must(attach(row.name))(t)
			expect(way)
			readAll(t, attached)
			expect(way + ", reading")
			check(t, attached.Close())
			expect(way + ", Close")
		}
	}
}

func readAll(t *testing.T, attached io.Closer) {
	t.Helper()
	switch a := attached.(type) {
	case *pyshm.SharedMemory:
		must(a.ReadAt(make([]byte, a.Size()), 0))(t)
	case *pyshm.ShareableList:
		must(a.Values())(t)
		check(t, a.Check())
	}
}

// A refusedRow is a file without a list, or without one as yet.
type refusedRow struct {
	what string
	make func(path string) error
	err  error // why Go does not attach

	python    any  // the outcome of Python's attempt to attach to a list,
	destroyed bool // and whether Python has removed the name
}

var refusedRows = []refusedRow{
	{what: "no bytes", make: fileOfBytes(""), err: format.ErrIncomplete, python: raised("ValueError")},
	{what: "4 bytes", make: fileOfBytes("\x01\x00\x00\x00"), err: format.ErrCorrupt, python: raised("struct.error")},
	{what: "a negative count", make: fileOfBytes(native(1<<63) + native(0)), err: format.ErrCorrupt, python: raised("ValueError")},
	{what: "formats not written", make: fileOfBytes(native(1) + native(0) + native(8) + times(17, "\x00")), err: format.ErrIncomplete},
	{what: "a directory", make: func(path string) error { return os.Mkdir(path, 0o700) }, err: syscall.EISDIR, python: raised("OSError")},
	{what: "a symbolic link", make: func(path string) error { return os.Symlink("missing", path) }, err: syscall.ELOOP, python: raised("OSError")},
	// Python removes a file that cannot be mapped, as if this call had made it.
	{what: "a FIFO", make: func(path string) error { return syscall.Mkfifo(path, 0o600) }, err: fs.ErrInvalid, python: raised("OSError"), destroyed: true},
	{what: "2**62 bytes", make: fileOfSize(1 << 62), err: syscall.ENOMEM, python: raised("OSError"), destroyed: true},
}

func fileOfBytes(content string) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
}

func fileOfSize(size int64) func(path string) error {
	return func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size))
	}
}

func testRefused(t *testing.T, p *compat.Peer) {
	for _, row := range refusedRows {
		t.Run(row.what, func(t *testing.T) {
			name := newName(t)
			check(t, row.make(fileOf(name)))
			if row.what == "2**62 bytes" && strconv.IntSize == 32 {
				row.python, row.destroyed = raised("OverflowError"), false
			}
			expect := expectNoTrace(t, name)
			if _, err := pyshm.AttachList(name); !errors.Is(err, row.err) {
				t.Errorf("AttachList: %v, want %v", err, row.err)
			}
			for way, attach := range waysToAttach {
				if attached, err := attach(name); err == nil {
					check(t, attached.Close())
				}
				expect(way)
			}
			_, err := p.AttachList(name)
			if got := outcome(nil, err)(t); got != row.python {
				t.Errorf("Python attaches: %v, want %v", got, row.python)
			}
			if _, err := os.Lstat(fileOf(name)); errors.Is(err, fs.ErrNotExist) != row.destroyed {
				t.Errorf("after Python's attempt: %v", err)
			}
		})
	}
}

// testNotPermitted has another user attach, if there is one to become.
func testNotPermitted(t *testing.T, p *compat.Peer) {
	testkit.NotEmulated(t, "a path of the test binary that other users may execute")
	for _, row := range []struct {
		mode     uint32
		readOnly int // the outcome of attaching read-only
	}{
		{0o000, exitNotPermitted},
		{0o444, -int(syscall.SIGKILL)},
	} {
		list := must(p.CreateList(newName(t), []any{1, "a", nil}))(t)
		defer list.Unlink()
		check(t, syscall.Chmod(fileOf(list.Name()), row.mode))
		content := must(list.Bytes())(t)
		expect := expectNoTrace(t, list.Name())
		for way := range waysToAttach {
			want := exitNotPermitted
			if strings.HasSuffix(way, "ReadOnly") {
				want = row.readOnly
			}
			if got := attachInChild(t, way, list.Name(), os.Geteuid() == 0); got != want {
				t.Errorf("%s to mode %#o: exit code %d, want %d", way, row.mode, got, want)
			}
			expect(way)
			if !bytes.Equal(must(list.Bytes())(t), content) {
				t.Errorf("%s to mode %#o changes the content", way, row.mode)
			}
		}
	}
}

func testKilled(t *testing.T, p *compat.Peer) {
	list := must(p.CreateList(newName(t), []any{1, "a", nil}))(t)
	defer list.Unlink()
	expect := expectNoTrace(t, list.Name())
	for way := range waysToAttach {
		if got := attachInChild(t, way, list.Name(), false); got != -int(syscall.SIGKILL) {
			t.Errorf("%s: exit code %d, want the signal", way, got)
		}
		expect(way)
	}
}

// A process in this role attaches to a segment and is killed by SIGKILL at once.
func init() { testkit.Roles["attach and die"] = attachAndDie }

const exitNotPermitted = 3

// attachInChild returns the exit code of such a process, negative for a signal.
func attachInChild(t *testing.T, way, name string, asAnotherUser bool) int {
	t.Helper()
	cmd := testkit.Command(t, "attach and die", way, name)
	if asAnotherUser {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	output, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return -int(status.Signal())
	}
	t.Logf("%s: %s", way, output)
	return cmd.ProcessState.ExitCode()
}

func attachAndDie(args []string, _ <-chan string) error {
	way, name := args[0], args[1]
	_, err := waysToAttach[way](name)
	switch {
	case err == nil:
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case errors.Is(err, fs.ErrPermission):
		fmt.Println(err)
		os.Exit(exitNotPermitted)
	}
	fmt.Println(err)
	return nil
}
