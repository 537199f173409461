package conformance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/connection"
	"github.com/pyshm-go/pyshm/pyshm/manager"
	"github.com/pyshm-go/pyshm/scripts"
)

// TestSections compares Go with Python where segments are sections of Windows.
func TestSections(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startPython(t, py)
		for _, part := range []struct {
			name string
			test func(*testing.T, *compat.Peer)
			uses covered.Part
		}{
			{"Sizes", testSectionSizes, covered.Blocks},
			{"Names", testSectionNames, covered.Blocks},
			{"Lifetime", testSectionLifetime, covered.Lists},
			{"Together", testTogether, covered.Lists},
			{"Arrays", testArraysByHand, covered.Arrays},
			{"Connection", testTCPConnection, covered.Connections},
			{"ManagerOfGo", testManagerOfGo, covered.Managers},
			{"ManagerOfPython", testManagerOfPython, covered.Managers},
		} {
			t.Run(part.name, func(t *testing.T) {
				testkit.Covers(t, py, part.uses)
				part.test(t, p)
			})
		}
	})
}

// The creator sees the size that it has asked for, an attacher whole pages.
func testSectionSizes(t *testing.T, p *compat.Peer) {
	for size, pages := range map[int]int{1: 4096, 4095: 4096, 4096: 4096, 4097: 8192, 1 << 20: 1 << 20} {
		ours := must(pyshm.Create("", size))(t)
		if ours.Size() != size || !strings.HasPrefix(ours.Name(), "wnsm_") {
			t.Errorf("Go made %v, want %d bytes", ours, size)
		}
		must(ours.WriteAt([]byte{42}, int64(size-1)))(t)
		theirs := must(p.AttachBlock(ours.Name()))(t)
		wantEqual(t, "size in Python", must(theirs.Size())(t), pages)
		wantEqual(t, "last byte in Python", must(theirs.Read(size-1, 1))(t), []byte{42})
		check(t, theirs.Close())
		check(t, ours.Close())

		made := must(p.CreateBlock("", size))(t)
		wantEqual(t, "size in Python", must(made.Size())(t), size)
		attached := must(pyshm.Attach(made.Name()))(t)
		wantEqual(t, "size in Go", attached.Size(), pages)
		must(attached.WriteAt([]byte{43}, int64(size-1)))(t)
		wantEqual(t, "last byte in Python", must(made.Read(size-1, 1))(t), []byte{43})
		check(t, attached.Close())
		check(t, made.Close())
	}
}

func testSectionNames(t *testing.T, p *compat.Peer) {
	name := newName(t)
	if _, err := pyshm.Attach(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("attach to a missing name: %v", err)
	}
	_, err := p.AttachBlock(name)
	wantPythonError(t, err, "FileNotFoundError", "")

	ours := must(pyshm.CreateList(name, []any{int64(1)}))(t)
	_, err = p.CreateBlock(name, 8)
	wantPythonError(t, err, "FileExistsError", "")
	check(t, ours.Close())

	theirs := must(p.CreateBlock(name, 8))(t)
	_, errList := pyshm.CreateList(name, []any{int64(1)})
	_, errBlock := pyshm.Create(name, 8)
	for _, err := range []error{errList, errBlock} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("create over Python's: %v", err)
		}
	}
	check(t, theirs.Close())

	// An object of another kind has the name.
	check(t, p.Exec(fmt.Sprintf("import _winapi, ctypes; mutex = ctypes.WinDLL('kernel32').CreateMutexW(None, False, %q)", name)))
	if _, err := pyshm.Create(name, 8); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a mutex: %v", err)
	}
	if _, err := pyshm.Attach(name); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("attach to a mutex: %v", err)
	}
	check(t, p.Exec("ctypes.WinDLL('kernel32').CloseHandle(ctypes.c_void_p(mutex))"))
}

// The name is there as long as a handle is, of either side, and unlink does nothing.
func testSectionLifetime(t *testing.T, p *compat.Peer) {
	name := newName(t)
	ours := must(pyshm.CreateList(name, []any{int64(1), "two"}))(t)
	theirs := must(p.AttachList(name))(t)
	check(t, ours.Unlink())
	check(t, pyshm.Unlink(name))
	check(t, theirs.Unlink())
	if current, err := ours.Current(); !current || err != nil {
		t.Errorf("Current = %v, %v", current, err)
	}
	check(t, ours.Close())
	check(t, ours.Unlink()) // also after Close
	again := must(pyshm.AttachList(name))(t)
	check(t, theirs.Close())
	wantEqual(t, "items of the last handle", must(again.Values())(t), []any{int64(1), "two"})
	check(t, again.Close())
	if _, err := pyshm.AttachList(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("attach after the last Close: %v", err)
	}
	_, err := p.AttachList(name)
	wantPythonError(t, err, "FileNotFoundError", "")
	check(t, must(pyshm.Create(name, 1))(t).Close()) // the name is free
}

var authkey = []byte("a key of the tests")

func testTCPConnection(t *testing.T, p *compat.Peer) {
	ctx := within(t, testkit.Patience)
	options := &connection.Options{Authkey: authkey}
	listener := must(connection.Listen("127.0.0.1:0", options))(t)
	defer listener.Close()
	host, port, _ := strings.Cut(listener.Address(), ":")
	served := make(chan error, 1)
	go func() { served <- echo(ctx, listener) }()
	check(t, p.Exec(fmt.Sprintf(`
from multiprocessing.connection import Client, Listener
client = Client((%q, %s), authkey=b%q)
client.send({"a": [1, 2.5, "\u20ac"]})
echoed = client.recv()
client.close()
`, host, port, authkey)))
	check(t, <-served)
	wantEqual(t, "echoed", must(p.Eval(`echoed == {"a": [1, 2.5, "\u20ac"]}`))(t), any(true))

	check(t, p.Exec(fmt.Sprintf("listener = Listener(('127.0.0.1', 0), authkey=b%q)", authkey)))
	address := testkit.GoAddress(t, p, "listener.address")
	accepted := make(chan error, 1)
	go func() {
		accepted <- p.Exec("conn = listener.accept(); got = conn.recv(); conn.send([got, None]); conn.close(); listener.close()")
	}()
	c := must(connection.Dial(ctx, address, options))(t)
	defer c.Close()
	check(t, c.Send(ctx, "from Go"))
	if got := must(c.Recv(ctx))(t); !pickle.Equal(got, []any{"from Go", nil}) {
		t.Errorf("Go gets %v", got)
	}
	check(t, <-accepted)
}

// echo accepts one client and sends a value back, once Poll has reported it.
func echo(ctx context.Context, listener *connection.Listener) error {
	c, err := listener.Accept(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if ready, err := c.Poll(ctx); !ready || err != nil {
		return fmt.Errorf("poll: %v, %w", ready, err)
	}
	v, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	return c.Send(ctx, v)
}

// A manager of Go keeps the segments of Python's client, which has closed them.
func testManagerOfGo(t *testing.T, p *compat.Peer) {
	ctx := within(t, testkit.Patience)
	m := must(manager.Start("", authkey))(t)
	defer m.Shutdown(ctx)
	check(t, p.Exec(fmt.Sprintf(`
from multiprocessing.managers import SharedMemoryManager
manager = SharedMemoryManager(address=%s, authkey=b%q)
manager.connect()
made = manager.ShareableList([1, "two"])
name = made.shm.name
made.shm.close()
`, m.PythonAddress(), authkey)))
	name := must(p.Eval("name"))(t).(string)
	wantEqual(t, "tracked", must(m.Segments(ctx))(t), []string{name})
	l := must(pyshm.AttachList(name))(t)
	wantEqual(t, "items", must(l.Values())(t), []any{int64(1), "two"})
	check(t, l.Close())

	// Of Go's client too, and Release ends the segment.
	c := manager.NewClient(m.Address(), authkey)
	block := must(c.Create(ctx, 100))(t)
	check(t, block.Close())
	check(t, must(pyshm.Attach(block.Name()))(t).Close())
	check(t, c.Release(ctx, block.Name()))
	if _, err := pyshm.Attach(block.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("attach after Release: %v", err)
	}
	check(t, m.Shutdown(ctx))
	if _, err := pyshm.AttachList(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("attach after Shutdown: %v", err)
	}
}

// Go is the client of a manager of Python, which serves in a thread.
func testManagerOfPython(t *testing.T, p *compat.Peer) {
	ctx := within(t, testkit.Patience)
	check(t, p.Exec(fmt.Sprintf(`
import threading
from multiprocessing.managers import BaseManager
class Manager(BaseManager): pass
Manager.register("numbers", list)
server = Manager(address=("127.0.0.1", 0), authkey=b%q).get_server()
threading.Thread(target=server.serve_forever, daemon=True).start()
`, authkey)))
	c := manager.NewClient(testkit.GoAddress(t, p, "server.address"), authkey)
	numbers := must(c.New(ctx, "numbers", []any{int64(3), int64(1)}))(t)
	defer numbers.Close()
	must(numbers.Call(ctx, "append", int64(2)))(t)
	if got := must(numbers.Call(ctx, "copy"))(t); !pickle.Equal(got, []any{int64(3), int64(1), int64(2)}) {
		t.Errorf("Python's list is %v", got)
	}
	if _, err := numbers.Call(ctx, "no_such_method"); err == nil {
		t.Error("a missing method can be called")
	}
}

// What Windows cannot do is refused with a reason.
func TestRefusedOnWindows(t *testing.T) {
	m := must(pyshm.Create("", 8))(t)
	defer m.Close()
	_, alias := m.Alias()
	_, replace := pyshm.Create(m.Name(), 8, pyshm.Replace())
	_, mode := pyshm.Create("", 8, pyshm.Mode(0o644))
	_, lock := pyshm.CreateLock("x")
	_, attachLock := pyshm.AttachLock("x")
	_, event := pyshm.OpenEvent("x")
	_, value := pyshm.AttachValue[int64]("x")
	_, queue := pyshm.CreateQueue("x", 1)
	_, unix := connection.Listen("/tmp/socket", nil)
	_, pipe := connection.Dial(t.Context(), `\\.\pipe\pyc-1-0-x`, nil)
	var segments error
	for _, segments = range pyshm.Segments() {
	}
	for what, err := range map[string]error{
		"one name": alias, "belongs to one segment": replace, "no mode": mode, "no names on Windows": lock,
		"have no names": attachLock, "locks have no names": event, "Python's locks": value, "queue": queue,
		"no unix sockets": unix, "named pipe": pipe, "no list": segments,
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q", err, what)
		}
	}
}

// A closed handle faults, and does not show other memory.
func TestSectionClosed(t *testing.T) {
	l := must(pyshm.CreateList("", []any{int64(1)}))(t)
	view := must(l.ViewInts())(t)
	raw := l.SharedMemory()
	err := raw.Guard(func() error {
		check(t, l.Close())
		view[0]++
		return nil
	})
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
	if _, err := l.Int(0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Int after Close: %v", err)
	}
	readOnly := must(pyshm.Create("", 8))(t)
	defer readOnly.Close()
	r := must(pyshm.Attach(readOnly.Name(), pyshm.ReadOnly()))(t)
	defer r.Close()
	if err := r.WithBytes(func(b []byte) error { b[0] = 1; return nil }); !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("a write to a read-only segment: %v", err)
	}
	if _, err := pyshm.AttachList(readOnly.Name()); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("a list of zeros: %v", err)
	}
}

// A program may create and close for ever, although closed memory goes late.
func TestSectionCycles(t *testing.T) {
	for range 300 {
		m := must(pyshm.Create("", 64<<20))(t)
		must(m.WriteAt([]byte{1}, 0))(t)
		check(t, m.Close())
	}
}

// TestSectionArraysOfNumpy compares arrays with numpy's: its own, or the one that
// scripts/windows.sh has brought for CPython 3.11.
func TestSectionArraysOfNumpy(t *testing.T) {
	brought, _ := filepath.Glob("../../.interpreters/windows/numpy-*-cp311")
	tested := false
	found := must(compat.Find(t.Context()))(t)
	for _, py := range found {
		path := ""
		if !py.HasNumpy {
			if len(brought) == 0 || !py.AtLeast(3, 11) || py.AtLeast(3, 12) {
				continue
			}
			path = must(filepath.Abs(brought[0]))(t)
		}
		tested = true
		t.Run(py.String(), func(t *testing.T) {
			testkit.CoversPackages(t, py, path, "numpy")
			testArraysByHandOfNumpy(t, start(t, py, compat.Env("PYTHONPATH="+path)))
		})
	}
	if !tested {
		testkit.Missing(t, "no Python here has numpy: scripts/windows.sh brings it for one")
	}
}

func testArraysByHandOfNumpy(t *testing.T, p *compat.Peer) {
	check(t, p.Exec(scripts.AttachHelper()+"\nimport numpy as np\n"))
	ours := must(pyshm.CreateArray[float64](newName(t), []int{2, 3}))(t)
	defer ours.Close()
	check(t, p.Exec(fmt.Sprintf("a = attach_array(%q); a[1, 2] = 1.5; a[0] += np.arange(3)", ours.Name())))
	elements := make([]float64, 6)
	must(ours.CopyTo(elements))(t)
	wantEqual(t, "what numpy has written", elements, []float64{0, 1, 2, 0, 0, 1.5})
	check(t, ours.Set(-4, 1, 0))
	wantEqual(t, "what Go has written", must(p.Eval("a.shape == (2, 3) and a[1].tolist() == [-4, 0, 1.5]"))(t), any(true))
	check(t, p.Exec("del a"))

	check(t, p.Exec(`
stream = io.BytesIO()
np.save(stream, np.arange(6, dtype="<i2").reshape(2, 3))
made = shared_memory.SharedMemory(create=True, size=len(stream.getvalue()))
made.buf[:made.size] = stream.getvalue()
`))
	name := must(p.Eval("made.name"))(t).(string)
	array := must(pyshm.AttachArray[int16](name))(t)
	defer array.Close()
	numbers := make([]int16, 6)
	must(array.CopyTo(numbers))(t)
	wantEqual(t, "numpy's array in Go", numbers, []int16{0, 1, 2, 3, 4, 5})
	wantEqual(t, "shape", array.Shape(), []int{2, 3})
	_, err := p.Eval("attach_event('x')")
	wantPythonError(t, err, "NotImplementedError", "no names on Windows")
}
