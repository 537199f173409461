//go:build unix

package lifetime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// A pythonServer is a manager in a process of its own.
type pythonServer struct {
	*compat.Peer
	address string // as a Python literal
	client  *manager.Client
	ended   chan error // receives the error that ended it
}

// startPythonServer has a peer become the server of a SharedMemoryManager at an
// address, a Python expression. It serves until it is shut down or the test
// ends.
func startPythonServer(t testing.TB, py compat.Interpreter, address string) *pythonServer {
	t.Helper()
	p := start(t, py)
	connectTo(t, p, address, authkey)
	check(t, p.Exec("server = manager.get_server()"))
	s := &pythonServer{
		Peer:    p,
		address: must(p.Eval("repr(server.address)"))(t).(string),
		client:  manager.NewClient(testkit.GoAddress(t, p, "server.address"), authkey),
		ended:   make(chan error, 1),
	}
	go func() { s.ended <- p.Exec("server.serve_forever()") }()
	return s
}

// forEachPythonServer runs a test on every interpreter with servers in a process of their
// own, at addresses of every kind, and with a server made by start(). All of them have the
// same reader, another Python.
func forEachPythonServer(t *testing.T, f func(t *testing.T, client *manager.Client, reader *compat.Peer, ended func() bool)) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		reader := start(t, py)
		for _, what := range testkit.Share(t, py, []string{"default", "tcp", "abstract", "start()"}) {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				address := map[string]string{
					"default": "None", "tcp": "('127.0.0.1', 0)", "abstract": format.Repr([]byte("\x00" + testkit.Name(t))),
				}
				if what != "start()" {
					s := startPythonServer(t, py, address[what])
					f(t, s.client, reader, func() bool { return len(s.ended) > 0 })
					return
				}
				p := start(t, py)
				connectTo(t, p, "None", authkey)
				check(t, p.Exec("manager.start()"))
				pid := int(must(p.Eval("manager._process.pid"))(t).(int64))
				client := manager.NewClient(testkit.GoAddress(t, p, "manager.address"), authkey)
				f(t, client, reader, func() bool { return state(pid) == "" || state(pid) == "Z" })
			})
		}
	})
}

// state returns the state of a process as /proc shows it, or "" if it is gone.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:1]
}

func TestGoClientOfPythonServer(t *testing.T) {
	t.Parallel()
	forEachPythonServer(t, func(t *testing.T, client *manager.Client, reader *compat.Peer, ended func() bool) {
		ctx := t.Context()
		other := manager.NewClient(client.Address(), []byte("another key"))
		if _, err := other.Create(ctx, 64); !errors.Is(err, manager.ErrAuth) {
			t.Errorf("create with another key: %v", err)
		}
		block, err := client.Create(ctx, 64)
		check(t, err)
		defer block.Close()
		list, err := client.CreateList(ctx, []any{1, "a", nil}, pyshm.Layout(reader.Interpreter().Layout()))
		check(t, err)
		defer list.Close()
		name := testkit.Foreign(t)
		check(t, client.Track(ctx, "/"+name))
		wantEqual(t, "segments", must(client.Segments(ctx))(t), []string{block.Name(), list.Name(), name})

		wantEqual(t, "the list in Python", must(must(reader.AttachList(list.Name()))(t).Values())(t), []any{int64(1), "a", nil})
		check(t, reader.Exec("resource_tracker.unregister('/"+list.Name()+"', 'shared_memory')"))

		check(t, client.Release(ctx, name))
		wantEqual(t, "names of what was released", testkit.NamesWith(name), []string(nil))
		if err := client.Release(ctx, name); !errors.Is(err, manager.ErrNotTracked) {
			t.Errorf("a second release: %v", err)
		}
		if err := client.Track(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("track of what is gone: %v", err)
		}

		// Python's server stops its shutdown at a segment that has vanished.
		check(t, block.Unlink())
		check(t, client.Shutdown(ctx))
		wantEqual(t, "names after shutdown", testkit.NamesWith(list.Name()), []string(nil))
		testkit.Eventually(t, "the server has ended", ended)
		if _, err := client.Create(ctx, 64); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("create without a server: %v", err)
		}
	})
}

// A hundred requests at a time are more than the queue of Python's server takes: 16
// clients up to 3.12, 128 later. Python's clients wait, and so do Go's.
func TestManyClientsOfPythonServer(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		s := startPythonServer(t, py, "None")
		for _, clients := range []int{50, 100} {
			start, failures := make(chan struct{}), make(chan error, clients)
			for range clients {
				go func() {
					<-start
					_, err := s.client.Segments(t.Context())
					failures <- err
				}()
			}
			close(start)
			failed := 0
			for range clients {
				if err := <-failures; err != nil {
					failed++
					t.Log(err)
				}
			}
			wantEqual(t, fmt.Sprintf("failed of %d requests", clients), failed, 0)
		}
		check(t, s.client.Shutdown(t.Context()))
	})
}

// The server dies when it is about to track a segment that a client has just made.
func TestPythonServerKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		connectTo(t, p, "None", authkey)
		marker := testkit.Name(t)
		check(t, p.Exec(fmt.Sprintf(`
server = manager.get_server()
def track_segment(c, name):
    os.link("/dev/shm/" + name, "/dev/shm/%s")
    os.kill(os.getpid(), signal.SIGKILL)
server.track_segment = track_segment
`, marker)))
		client := manager.NewClient(testkit.GoAddress(t, p, "server.address"), authkey)
		ended := make(chan error, 1)
		go func() { ended <- p.Exec("server.serve_forever()") }()
		_, err := client.Create(t.Context(), 64)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("create: %v", err)
		}
		<-ended
		// The server's last act was to give the segment a second name.
		f, err := os.Open("/dev/shm/" + marker)
		check(t, err)
		defer f.Close()
		check(t, os.Remove(f.Name()))
		wantEqual(t, "names of the segment", links(t, f), 0)
	})
}

// A server that hangs costs no more than the context allows.
func TestPythonServerStopped(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		s := startPythonServer(t, py, "None")
		must(s.client.Segments(t.Context()))(t) // it serves
		check(t, syscall.Kill(s.Pid(), syscall.SIGSTOP))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.client.Create(ctx, 64); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("create: %v", err)
		}
		check(t, syscall.Kill(s.Pid(), syscall.SIGCONT))
		check(t, s.client.Shutdown(t.Context()))
		<-s.ended
	})
}
