//go:build unix

package lifetime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

var authkey = []byte("the key of the tests")

// A logBook is the log of a manager.
type logBook struct{ testkit.Log }

// restored reports whether a segment's name had vanished and was restored.
func (b *logBook) restored(name string) bool {
	return strings.Contains(b.String(), fmt.Sprintf("msg=%q segment=%s\n", "name restored", name))
}

// startManager starts a Go manager. When the test ends the manager is shut down, and no
// segment that it tracked may be left.
func startManager(t testing.TB, address string) (*manager.Manager, *logBook) {
	t.Helper()
	log := &logBook{}
	m, err := manager.Start(address, authkey, manager.Logger(slog.New(slog.NewTextHandler(log, nil))))
	check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the manager:\n%s", log)
		}
		names, err := m.Segments(context.Background())
		if errors.Is(err, manager.ErrShutdown) {
			return
		}
		check(t, err)
		var open []*os.File
		for _, name := range names {
			if f, err := os.Open("/dev/shm/" + name); err == nil { // tests track missing names, too
				defer f.Close()
				open = append(open, f)
			}
		}
		check(t, m.Shutdown(context.Background()))
		for _, f := range open {
			wantEqual(t, "names left of "+f.Name(), links(t, f), 0)
		}
	})
	return m, log
}

func links(t testing.TB, f *os.File) int {
	t.Helper()
	var st syscall.Stat_t
	check(t, syscall.Fstat(int(f.Fd()), &st))
	return int(st.Nlink)
}

// connectTo makes `manager` in a peer: a SharedMemoryManager at an address.
func connectTo(t testing.TB, p *compat.Peer, address string, key []byte) {
	t.Helper()
	check(t, p.Exec(fmt.Sprintf(`
from multiprocessing.managers import SharedMemoryManager, dispatch
manager = SharedMemoryManager(address=%s, authkey=%s)`, address, format.Repr(key))))
}

func TestGoManagerServesPython(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Managers)
		p := start(t, py)
		for _, address := range []string{"", "127.0.0.1:0", "@" + testkit.Name(t)} {
			m, _ := startManager(t, address)
			connectTo(t, p, m.PythonAddress(), authkey)
			check(t, p.Exec(`
manager.connect()
block = manager.SharedMemory(64)
block.buf[:5] = b"hello"
numbers = manager.ShareableList([1, "a", None, 2.5, True, b"x"])`))
			block, list := must(p.Block("block"))(t), must(p.List("numbers"))(t)
			wantEqual(t, "segments", must(m.Segments(t.Context()))(t), []string{block.Name(), list.Name()})

			theirs, err := pyshm.AttachList(list.Name())
			check(t, err)
			defer theirs.Close()
			wantEqual(t, "Python's list", must(theirs.Values())(t), []any{int64(1), "a", nil, 2.5, true, []byte("x")})
			ours, err := m.CreateList(t.Context(), []any{"from Go"}, pyshm.Layout(py.Layout()))
			check(t, err)
			defer ours.Close()
			wantEqual(t, "Go's list", must(must(p.AttachList(ours.Name()))(t).Values())(t), []any{"from Go"})

			check(t, m.Release(t.Context(), block.Name()))
			wantEqual(t, "names of what was released", testkit.NamesWith(block.Name()), []string(nil))
		}
	})
}

// A segment that Python made through one manager is not kept by another, so that it is
// gone when the first manager releases it.
func TestOneManagerOwnsWhatPythonMade(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		owner, log := startManager(t, "")
		other, _ := startManager(t, "")
		connectTo(t, p, owner.PythonAddress(), authkey)
		check(t, p.Exec("block = manager.SharedMemory(64)"))
		name := must(p.Block("block"))(t).Name()
		if err := other.Track(t.Context(), name); !errors.Is(err, manager.ErrOwned) {
			t.Errorf("tracked by another: %v", err)
		}
		connectTo(t, p, other.PythonAddress(), authkey)
		check(t, p.Exec(fmt.Sprintf(`
conn = manager._Client(manager.address, authkey=%s)
dispatch(conn, None, "track_segment", (%s,))`, format.Repr(authkey), format.Repr(name))))
		if err := manager.NewClient(other.Address(), authkey).Release(t.Context(), name); !errors.Is(err, manager.ErrOwned) {
			t.Errorf("released by another: %v", err)
		}
		check(t, p.Exec("block.unlink()"))
		testkit.Eventually(t, "the name is back", func() bool { return log.restored(name) })
		check(t, owner.Release(t.Context(), name))
		wantEqual(t, "names of what was released", testkit.NamesWith(name), []string(nil))
	})
}

// The paths of sockets may have any bytes but NUL and slash.
func TestPythonAddressOfAnyPath(t *testing.T) {
	t.Parallel()
	paths := []string{
		"it's", `"quoted"`, `it's "both"`, `back\slash`, `\udcff`, `end\`, "line\nfeed", "\t\r\x01\x1b\x7f", " ",
		"é€😀", "\u0085\u00ad\u200b\ufffd\U0010ffff", "\xff", "\x80'\xfe\"", "caf\xe9", "\xed\xb3\xbf", "\xf0\x9f", `\` + "\xff",
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		dir, err := os.MkdirTemp("", "") // t.TempDir is longer than a socket's path may be
		check(t, err)
		t.Cleanup(func() { check(t, os.Remove(dir)) })
		p := start(t, py)
		check(t, p.Exec("import ast, os"))
		for _, name := range paths {
			path := filepath.Join(dir, name)
			m, _ := startManager(t, path)
			literal := m.PythonAddress()
			wantEqual(t, literal, must(p.Eval("os.fsencode("+literal+")"))(t), any([]byte(path)))
			check(t, p.Exec("address = ast.literal_eval("+format.Repr(literal)+")"))
			connectTo(t, p, "address", authkey)
			check(t, p.Exec("manager.connect()"))
			check(t, m.Shutdown(t.Context()))
		}
	})
}

// askServer sends a request in Python's own way, and returns the part of the reply that
// is compared: the value, or the last line of the traceback.
const askServer = `
import pickle
from multiprocessing.connection import Client
def ask(address, key, request):
    with Client(address, authkey=key) as connection:
        connection.send_bytes(request)
        reply = connection.recv_bytes()
        kind, value = pickle.loads(reply)
        if kind == "#TRACEBACK":
            return [kind, value.rstrip("\n").split("\n")[-1]]
        again = pickle.dumps((kind, value), 4)
        # From 3.14 on the protocol is 5, otherwise every byte has to be right.
        return [kind, repr(value), reply == again or reply[1] == 5]
`

// A Go manager and CPython's server send the same replies, byte for byte.
func TestGoManagerAnswersAsPython(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		server := startPythonServer(t, py, "None")
		m, _ := startManager(t, "")
		check(t, p.Exec(askServer))
		name := testkit.Name(t)
		track := fmt.Sprintf("pickle.dumps((None, 'track_segment', ('%s',), {}), %%d)", name)
		for _, request := range []string{
			"pickle.dumps((None, 'dummy', (), {}))",
			"pickle.dumps((None, 'number_of_objects', (), {}))",
			"pickle.dumps((None, 'debug_info', (), {}))",
			"pickle.dumps((None, 'list_segments', (), {}))",
			fmt.Sprintf(track, 0), fmt.Sprintf(track, 1), fmt.Sprintf(track, 2),
			fmt.Sprintf(track, 3), fmt.Sprintf(track, 4), fmt.Sprintf(track, 5),
			"pickle.dumps((None, 'list_segments', (), {}))",
			"pickle.dumps(['id', 'list_segments', [], {}])",
			fmt.Sprintf("pickle.dumps((None, 'release_segment', ('%s',), {}))", name),
			"pickle.dumps((None, 'release_segment', ('unknown',), {}))",
			"pickle.dumps((None, 'nonsense', (), {}))",
			`pickle.dumps((None, "it's", (), {}))`,
			"pickle.dumps((None, 'dummy', ()))",
			"pickle.dumps(5)",
			"pickle.dumps(None)",
			"b'\\xff'",
		} {
			var replies [2]any
			for i, address := range []string{server.address, m.PythonAddress()} {
				replies[i] = must(p.Eval(fmt.Sprintf("ask(%s, %s, %s)", address, format.Repr(authkey), request)))(t)
			}
			if py.Implementation == "PyPy" && replies[0].([]any)[0] == "#TRACEBACK" {
				// The texts of its exceptions differ.
				wantEqual(t, request, replies[1].([]any)[0], "#TRACEBACK")
				continue
			}
			if py.Implementation == "PyPy" && py.AtLeast(3, 11) {
				// It pickles a list of str in bytes of its own.
				wantEqual(t, request, replies[1].([]any)[:2], replies[0].([]any)[:2])
				continue
			}
			wantEqual(t, request, replies[1], replies[0])
		}
	})
}

func TestGoManagerRefusesPythonWithAnotherKey(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		m, _ := startManager(t, "")
		connectTo(t, p, m.PythonAddress(), []byte("another key"))
		for _, call := range []string{"manager.connect()", "manager.SharedMemory(1)", "manager.ShareableList([1])"} {
			var raised *compat.PythonError
			if err := p.Exec(call); !errors.As(err, &raised) ||
				raised.Type != "multiprocessing.context.AuthenticationError" || raised.Message != "digest sent was rejected" {
				t.Errorf("%s: %v", call, err)
			}
		}
		wantEqual(t, "number of segments", len(must(m.Segments(t.Context()))(t)), 0)
	})
}

// watched is a segment whose names a test follows.
type watched struct {
	name string
	f    *os.File
}

func watch(t testing.TB, name string) watched {
	t.Helper()
	f, err := os.Open("/dev/shm/" + name)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	return watched{name, f}
}

// present waits until the segment has its name, which it may just have lost.
func (w watched) present(t testing.TB) {
	t.Helper()
	mine, err := w.f.Stat()
	check(t, err)
	testkit.Eventually(t, w.name+" is the same segment", func() bool {
		other, err := os.Stat("/dev/shm/" + w.name)
		return err == nil && os.SameFile(mine, other)
	})
}

// survives ends a process that has attached to segments. The manager must have restored
// them or, if no process was to unlink them, must not.
func survives(t *testing.T, log *logBook, end func() error, unlinked bool, segments ...watched) {
	t.Helper()
	check(t, end())
	for _, w := range segments {
		w.present(t)
		if unlinked {
			testkit.Eventually(t, w.name+" was restored", func() bool { return log.restored(w.name) })
		} else if log.restored(w.name) {
			t.Errorf("%s had to be restored", w.name)
		}
	}
}

// However a Python ends, the segments that it has made through a Go manager, and the
// segments to which it has attached, stay.
func TestTrackedSegmentsSurvive(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, compat.Exits()) {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				m, log := startManager(t, "")
				ours, err := m.CreateList(t.Context(), []any{42}, pyshm.Layout(py.Layout()))
				check(t, err)
				defer ours.Close()
				p := start(t, py)
				connectTo(t, p, m.PythonAddress(), authkey)
				check(t, p.Exec("block = manager.SharedMemory(64); block.buf[:5] = b'hello'"))
				theirs := must(p.Block("block"))(t)
				attached := must(p.AttachList(ours.Name()))(t)
				must(p.AttachList(ours.Name()))(t)
				check(t, attached.Set(0, 43))
				if how == compat.ExitStatus3 {
					check(t, attached.Close()) // makes no difference
				}
				exit := func() error { _, err := p.Exit(how); return err }
				survives(t, log, exit, how != compat.ExitKillGroup, watch(t, ours.Name()), watch(t, theirs.Name()))

				again, err := pyshm.Attach(theirs.Name())
				check(t, err)
				defer again.Close()
				hello := make([]byte, 5)
				_, err = again.ReadAt(hello, 0)
				check(t, err)
				wantEqual(t, "Python's block", string(hello), "hello")
				wantEqual(t, "Go's list", must(ours.Get(0))(t), any(int64(43)))
			})
		}
	})
}

// A manager cannot distinguish a tracker's unlink from an explicit one.
func TestTrackedSegmentsSurviveUnlink(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		m, log := startManager(t, "")
		p := start(t, py)
		connectTo(t, p, m.PythonAddress(), authkey)
		check(t, p.Exec("block = manager.SharedMemory(64)"))
		block := must(p.Block("block"))(t)
		w := watch(t, block.Name())
		survives(t, log, block.Unlink, true, w)
		must(p.AttachBlock(block.Name()))(t)
		check(t, m.Release(t.Context(), block.Name()))
		wantEqual(t, "names after the release", links(t, w.f), 0)
	})
}

func TestTrackedSegmentsSurviveUntracked(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		if !py.HasTrack {
			return
		}
		t.Parallel()
		m, log := startManager(t, "")
		block, err := m.Create(t.Context(), 64)
		check(t, err)
		defer block.Close()
		p := start(t, py)
		check(t, p.Exec(fmt.Sprintf("block = SharedMemory(%q, track=False)", block.Name())))
		survives(t, log, p.Close, false, watch(t, block.Name()))
	})
}

// Workers of workers, by every start method: the segments stay, whichever resource
// tracker unlinks them, and whenever.
func TestTrackedSegmentsSurviveWorkers(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, method := range testkit.Share(t, py, testkit.StartMethods) {
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				m, log := startManager(t, "")
				ours, err := m.Create(t.Context(), 64)
				check(t, err)
				defer ours.Close()
				parent := start(t, py)
				worker := must(parent.StartWorker(method))(t)
				grandchild := must(worker.StartWorker(method))(t)
				segments := []watched{watch(t, ours.Name())}
				for _, p := range []*compat.Peer{worker, grandchild} {
					connectTo(t, p, m.PythonAddress(), authkey)
					check(t, p.Exec("block = manager.SharedMemory(64)"))
					must(p.AttachBlock(ours.Name()))(t)
					segments = append(segments, watch(t, must(p.Block("block"))(t).Name()))
				}
				for _, end := range []func() (int, error){
					func() (int, error) { return grandchild.Exit(compat.ExitNormal) },
					func() (int, error) { return worker.Exit(compat.ExitSIGKILL) },
					func() (int, error) { return parent.Exit(compat.ExitException) },
				} {
					_, err := end()
					check(t, err)
					for _, w := range segments {
						w.present(t)
					}
				}
				survives(t, log, func() error { return nil }, true, segments...)
			})
		}
	})
}
