package docs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// containerRoom is the size of /dev/shm in these tests, which stands for Docker's 64 MiB.
const containerRoom = 4 << 20

// TestContainers tries sentences of containers.md between namespaces.
func TestContainers(t *testing.T) {
	t.Parallel()
	if !testkit.InPrivateShm(t, containerRoom) {
		return
	}
	text, err := os.ReadFile("containers.md")
	check(t, err)
	page := strings.Join(strings.Fields(string(text)), " ")
	py := newestPython(t)
	for _, claim := range []struct {
		sentence string
		try      func(*testing.T, compat.Interpreter)
	}{
		{`A container has a /dev/shm of its own, so that no segment of another container exists there.`, tryOtherShm},
		{`Locks, queues and barriers work from container to container`, tryLock},
		{`Another PID, network or user namespace changes nothing about that.`, tryQueue},
		{`An abstract address (@name) does not reach into another network namespace. The path of a socket`, tryAddresses},
		{`a full /dev/shm is an error: "no space left on device"`, tryFull},
		{`Python reserves nothing: SharedMemory(create=True) succeeds, and the process dies by SIGBUS`, tryPythonFull},
		{`A segment has the mode 0600, from Go and from Python`, tryModes},
		{`only the owner, or root, removes a name`, trySticky},
		{`the list of processes that map a segment may have gaps`, tryHidden},
		{`it works in the same PID namespace only`, tryParts},
		{`Where SIGKILL ends them all at once, no name is removed.`, tryKilled},
	} {
		if !strings.Contains(strings.ReplaceAll(page, "`", ""), claim.sentence) {
			t.Errorf("containers.md does not say %q", claim.sentence)
		}
		t.Run(claim.sentence, func(t *testing.T) { claim.try(t, py) })
	}
}

// contain has a command run in namespaces as a container's, but with the /dev/shm of this
// process.
func contain(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS
}

// startContainer starts a Python in a container, with a user namespace of its own.
func startContainer(t *testing.T, py compat.Interpreter) *compat.Peer {
	t.Helper()
	return testkit.StartPeer(t, py, testkit.AttachHelper(t), compat.Command(func(cmd *exec.Cmd) {
		testkit.InUserNamespace(cmd)
		contain(cmd)
	}))
}

func tryOtherShm(t *testing.T, py compat.Interpreter) {
	m := newSegment(t, 64)
	p := testkit.StartPeer(t, py, compat.Command(func(cmd *exec.Cmd) {
		contain(cmd)
		cmd.Args = append([]string{"sh", "-c", `mount -t tmpfs tmpfs /dev/shm && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}))
	testkit.WantPythonError(t, p.Exec(fmt.Sprintf("SharedMemory(%q)", m.Name())), "FileNotFoundError", "")
	check(t, p.Exec(fmt.Sprintf("SharedMemory(%q, create=True, size=64).unlink()", m.Name())))
	if !exists(m.Name()) {
		t.Error("a container with another /dev/shm removed the name")
	}
}

// tryLock has Go and two containers increment a number under one lock.
func tryLock(t *testing.T, py compat.Interpreter) {
	const rounds = 300
	lock := must(pyshm.CreateLock(testkit.Name(t)))(t)
	defer lock.Close()
	defer lock.Unlink()
	list := must(pyshm.CreateList(testkit.Name(t), []any{0}))(t)
	defer list.Close()
	defer list.Unlink()
	program := fmt.Sprintf(`
from pyshm_attach import attach_list, attach_lock
numbers, lock = attach_list(%q), attach_lock(%q)
for _ in range(%d):
    with lock:
        numbers[0] += 1
`, list.Name(), lock.Name(), rounds)
	ends := make(chan error, 2)
	for range cap(ends) {
		p := startContainer(t, py)
		go func() { ends <- p.Exec(program) }()
	}
	for range rounds {
		check(t, lock.With(t.Context(), func() error {
			n, err := list.Int(0)
			if err != nil {
				return err
			}
			return list.Set(0, n+1)
		}))
	}
	for range cap(ends) {
		check(t, <-ends)
	}
	testkit.WantEqual(t, "the number", must(list.Int(0))(t), int64((1+cap(ends))*rounds))
}

func tryQueue(t *testing.T, py compat.Interpreter) {
	q := must(pyshm.CreateQueue(testkit.Name(t), 10))(t)
	defer q.Close()
	defer pyshm.UnlinkQueue(q.Name())
	p := startContainer(t, py)
	check(t, p.Exec(fmt.Sprintf("from pyshm_attach import attach_queue\nq = attach_queue(%q, 10)\nq.put(['from', 1])", q.Name())))
	testkit.WantEqual(t, "Go gets", must(q.Get(t.Context()))(t), any([]any{"from", int64(1)}))
	check(t, q.Put(t.Context(), "to"))
	testkit.WantEqual(t, "Python gets", must(p.Eval("q.get()"))(t), any("to"))
}

func tryAddresses(t *testing.T, py compat.Interpreter) {
	path := filepath.Join(t.TempDir(), "socket")
	p := startContainer(t, py)
	check(t, p.Exec("from multiprocessing.connection import Client"))
	abstract := testkit.Name(t)
	for _, address := range []string{"@" + abstract, path} {
		l := must(connection.Listen(address, &connection.Options{Authkey: []byte("key")}))(t)
		defer l.Close()
		go func() {
			if c, err := l.Accept(context.Background()); err == nil {
				defer c.Close()
				c.Send(context.Background(), "here")
			}
		}()
	}
	kind := must(p.Eval(fmt.Sprintf("__import__('errno').errorcode[__import__('socket').socket(1).connect_ex('\\0%s')]", abstract)))(t).(string)
	testkit.WantEqual(t, "at the abstract address", kind, "ECONNREFUSED")
	testkit.WantEqual(t, "at the path", must(p.Eval(fmt.Sprintf("Client(%q, authkey=b'key').recv()", path)))(t), any("here"))
}

func tryFull(t *testing.T, _ compat.Interpreter) {
	name := testkit.Name(t)
	_, err := pyshm.Create(name, 2*containerRoom)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("Create: %v", err)
	}
	if exists(name) {
		t.Error("the name has appeared")
	}
}

func tryPythonFull(t *testing.T, py compat.Interpreter) {
	name := testkit.Name(t)
	testkit.RemoveAfter(t, name)
	p := testkit.StartPeer(t, py)
	check(t, p.Exec(fmt.Sprintf("m = SharedMemory(%q, create=True, size=%d)", name, 2*containerRoom)))
	m := must(pyshm.Attach(name))(t)
	defer m.Close()
	err := p.Exec("m.buf[:] = bytes(len(m.buf))")
	if err == nil || !strings.Contains(err.Error(), "bus error") {
		t.Errorf("Python wrote more than there is room for: %v", err)
	}
	if _, err := m.WriteAt(make([]byte, m.Size()), 0); !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("Go wrote more than there is room for: %v", err)
	}
}

// asOther has a command run as a user and a group of no segment here.
func asOther(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// startOther starts a Python of another user, one that this user may execute.
func startOther(t *testing.T) *compat.Peer {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	for _, py := range must(compat.Find(t.Context()))(t) {
		if p, err := py.Start(t.Context(), compat.Command(asOther), compat.Dir("/")); err == nil {
			t.Cleanup(func() { p.Close() })
			return p
		}
	}
	testkit.Missing(t, "no Python here can run as another user")
	return nil
}

func tryModes(t *testing.T, _ compat.Interpreter) {
	mine, shared := newSegment(t, 64), newSegment(t, 64, pyshm.Mode(0o666))
	p := startOther(t)
	testkit.WantPythonError(t, p.Exec(fmt.Sprintf("SharedMemory(%q)", mine.Name())), "PermissionError", "")
	check(t, p.Exec(fmt.Sprintf("m = SharedMemory(%q)\nm.buf[0] = 9", shared.Name())))
	seen := make([]byte, 1)
	_, err := shared.ReadAt(seen, 0)
	check(t, err)
	testkit.WantEqual(t, "Go sees", seen[0], byte(9))
}

func trySticky(t *testing.T, _ compat.Interpreter) {
	shared := newSegment(t, 64, pyshm.Mode(0o666))
	p := startOther(t)
	testkit.WantPythonError(t, p.Exec(fmt.Sprintf("SharedMemory(%q).unlink()", shared.Name())), "PermissionError", "")
	if !exists(shared.Name()) {
		t.Error("another user removed the name")
	}
}

func init() { testkit.Roles["census in a container"] = censusInContainer }

// censusInContainer prints what a container sees of a segment and whether it removes the
// name.
func censusInContainer(names []string, _ <-chan string) error {
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	for s, err := range pyshm.Segments() {
		if err == nil && s.Name == names[0] {
			pids, err := s.Pids()
			fmt.Printf("%v, complete: %t, removed: %t", pids, err == nil, s.UnlinkUnused() == nil)
		}
	}
	return nil
}

// tryHidden has containers look at a segment that this process maps, and then no process.
func tryHidden(t *testing.T, _ compat.Interpreter) {
	m := newSegment(t, 64)
	for _, want := range []string{"[], complete: false, removed: false", "[], complete: true, removed: true"} {
		c := testkit.Command(t, "census in a container", m.Name())
		contain(c)
		seen, err := c.CombinedOutput()
		if err != nil {
			t.Skipf("this system does not let a container have a /proc of its own: %v\n%s", err, seen)
		}
		testkit.WantEqual(t, "the container's list", string(seen), want)
		check(t, m.Close())
	}
}

func tryParts(t *testing.T, py compat.Interpreter) {
	p := startContainer(t, py)
	check(t, p.Exec("import multiprocessing, pyshm_attach\nq = multiprocessing.get_context('spawn').Queue(3)"))
	var parts pyshm.QueueParts
	check(t, json.Unmarshal([]byte(must(p.Eval("pyshm_attach.parts(q)"))(t).(string)), &parts))
	if q, err := pyshm.AttachQueueParts(parts); err == nil {
		q.Close()
		t.Errorf("attached to a queue by descriptors of another PID namespace: %+v", parts)
	}
}

// tryKilled kills the first process of a container, with which the others end.
func tryKilled(t *testing.T, py compat.Interpreter) {
	name := testkit.Name(t)
	testkit.RemoveAfter(t, name)
	var first *exec.Cmd
	p := testkit.StartPeer(t, py, compat.Command(func(cmd *exec.Cmd) {
		contain(cmd)
		first = cmd
	}))
	check(t, p.Exec(fmt.Sprintf("m = SharedMemory(%q, create=True, size=64)", name)))
	check(t, first.Process.Kill())
	p.Close() // waits
	if !exists(name) {
		t.Error("the name was removed")
	}
	for s, err := range pyshm.Segments() {
		check(t, err)
		if s.Name == name {
			testkit.Eventually(t, "no process maps the segment", func() bool { return s.UnlinkUnused() == nil || !exists(name) })
		}
	}
	if _, err := os.Lstat(testkit.Path(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("UnlinkUnused has left the name:", err)
	}
}

// newSegment makes a segment that ends with the test.
func newSegment(t *testing.T, size int, options ...pyshm.CreateOption) *pyshm.SharedMemory {
	t.Helper()
	m := must(pyshm.Create(testkit.Name(t), size, options...))(t)
	t.Cleanup(func() {
		m.Close()
		os.Remove(testkit.Path(m.Name()))
	})
	return m
}
