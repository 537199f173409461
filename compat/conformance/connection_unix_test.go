//go:build (linux || darwin || freebsd) && !posixshm

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// connectionPython is what the peers of these tests know besides.
const connectionPython = `
import multiprocessing, os, subprocess, threading
from multiprocessing import Pipe
from multiprocessing.connection import Client, Connection, Listener
def echo(conn):
    with conn:
        try:
            while True:
                conn.send(conn.recv())
        except EOFError:
            pass
def serve(listener, clients, work):
    def run():
        for _ in range(clients):
            work(listener.accept())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
`

func startConnecter(t *testing.T, py compat.Interpreter) *compat.Peer {
	t.Helper()
	p := start(t, py)
	check(t, p.Exec(connectionPython))
	return p
}

// connectionAddresses returns an address of each kind, in Go and as a Python expression.
func connectionAddresses(t *testing.T) map[string][2]string {
	dir := must(os.MkdirTemp("", "pyshm-"))(t) // the folders of TempDir have long names
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := dir + "/socket"
	addresses := map[string][2]string{
		"unix": {path, format.Repr(path)},
		"tcp":  {"127.0.0.1:0", "('127.0.0.1', 0)"},
	}
	if runtime.GOOS == "linux" {
		name := testkit.Name(t)
		addresses["abstract"] = [2]string{"@" + name, format.Repr([]byte("\x00" + name))}
	}
	return addresses
}

// wantEcho has the peer send back values of all kinds and sizes.
func wantEcho(t testing.TB, c *connection.Conn) {
	t.Helper()
	ctx := within(t, testkit.Patience)
	dict := must(pickle.NewDict(pickle.Pair{Key: "a", Value: int64(1)}, pickle.Pair{Key: pickle.Tuple{int64(1), "k"}}))(t)
	for _, want := range []any{
		nil, true, int64(-1 << 40), new(big.Int).Lsh(big.NewInt(1), 100), 0.5, "h\u00e9llo", []byte("\x00\xff"),
		[]any{int64(1), []any{}}, pickle.Tuple{}, dict, must(pickle.NewSet(int64(1), "x"))(t),
		time.Date(2024, 2, 29, 12, 34, 56, 789000, time.UTC),
		bytes.Repeat([]byte("x"), 16384-20), bytes.Repeat([]byte("y"), 16384), bytes.Repeat([]byte("z"), 1<<20),
	} {
		if err := c.Send(ctx, want); err != nil {
			t.Fatalf("send %.40v: %v", want, err)
		}
		if got, err := c.Recv(ctx); err != nil || !pickle.Equal(got, want) {
			t.Fatalf("%.40v, %v, want %.40v", got, err, want)
		}
	}
}

// authkey is a key that Go and Python have in common.
var authkey = []byte("the key of the tests")

func TestPythonConnectsToGo(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Connections)
		p := startConnecter(t, py)
		for kind, address := range connectionAddresses(t) {
			for what, key := range map[string][]byte{"no authkey": nil, "authkey": authkey} {
				t.Run(kind+" "+what, func(t *testing.T) {
					l := must(connection.Listen(address[0], &connection.Options{Authkey: key}))(t)
					defer l.Close()
					pythonKey := "None"
					if key != nil {
						pythonKey = format.Repr(key)
						_, err := p.Eval("Client(" + l.PythonAddress() + ", authkey=b'another')")
						wantPythonError(t, err, "multiprocessing.context.AuthenticationError", "digest sent was rejected")
					}
					check(t, p.Exec("conn = Client("+l.PythonAddress()+", authkey="+pythonKey+")\nthread = threading.Thread(target=echo, args=(conn,))\nthread.start()"))
					c := must(l.Accept(within(t, testkit.Patience)))(t)
					defer c.Close()
					wantEcho(t, c)
					check(t, c.Close())
					check(t, p.Exec("thread.join()"))
				})
			}
		}
	})
}

func TestGoConnectsToPython(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startConnecter(t, py)
		for kind, address := range connectionAddresses(t) {
			for what, key := range map[string][]byte{"no authkey": nil, "authkey": authkey} {
				t.Run(kind+" "+what, func(t *testing.T) {
					pythonKey := "None"
					if key != nil {
						pythonKey = format.Repr(key)
					}
					check(t, p.Exec("listener = Listener("+address[1]+", authkey="+pythonKey+")\nthread = serve(listener, 1, echo)"))
					o := &connection.Options{Authkey: key}
					c := must(connection.Dial(within(t, testkit.Patience), testkit.GoAddress(t, p, "listener.address"), o))(t)
					defer c.Close()
					wantEcho(t, c)
					check(t, c.Close())
					check(t, p.Exec("thread.join()\nlistener.close()"))
				})
			}
		}
		check(t, p.Exec("listener = Listener(authkey="+format.Repr(authkey)+")"))
		check(t, p.Exec("def refuse():\n    try: listener.accept()\n    except multiprocessing.AuthenticationError as e: print(e)\nthread = threading.Thread(target=refuse)\nthread.start()"))
		_, err := connection.Dial(within(t, testkit.Patience), testkit.GoAddress(t, p, "listener.address"), &connection.Options{Authkey: []byte("another")})
		if !errors.Is(err, connection.ErrAuth) {
			t.Errorf("another key: %v", err)
		}
		check(t, p.Exec("thread.join()\nlistener.close()"))
	})
}

// What Python sends and receives as bytes, empty ones and the end.
func TestBytesOverConnection(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startConnecter(t, py)
		ctx := within(t, testkit.Patience)
		l := must(connection.Listen("", nil))(t)
		defer l.Close()
		check(t, p.Exec("conn = Client("+l.PythonAddress()+")"))
		c := must(l.Accept(ctx))(t)
		defer c.Close()
		if ready, err := c.Poll(ended(t)); ready || err != nil {
			t.Errorf("poll: %v, %v", ready, err)
		}
		check(t, p.Exec("conn.send_bytes(b'')\nconn.send_bytes(b'abc')\nconn.send(ValueError('x', 1))"))
		for _, want := range []string{"", "abc"} {
			if got, err := c.RecvBytes(ctx); string(got) != want || err != nil {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		}
		raised := must(c.Recv(ctx))(t)
		check(t, c.Send(ctx, raised)) // an object that Go does not understand goes back as it came
		wantEqual(t, "the exception", must(p.Eval("repr(conn.recv())"))(t), any("ValueError('x', 1)"))
		check(t, c.SendBytes(ctx, nil))
		wantEqual(t, "an empty frame", must(p.Eval("conn.recv_bytes()"))(t), any([]byte{}))
		check(t, c.SendBytes(ctx, make([]byte, 100)))
		wantEqual(t, "poll", must(p.Eval("conn.poll(20)"))(t), any(true))
		_, err := p.Eval("conn.recv_bytes(99)")
		wantPythonError(t, err, "OSError", "bad message length")
		check(t, p.Exec("conn.close()"))
		if _, err := c.Recv(ctx); err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the end: %v", err)
		}
	})
}

// Python's Listener has a backlog of 1. Go's clients wait for it, as Python's do.
func TestBacklogOfPython(t *testing.T) {
	testkit.NeedLinux(t) // on macOS and FreeBSD it refuses Go's clients, and Python's, too
	t.Parallel()
	const clients = 20
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startConnecter(t, py)
		check(t, p.Exec("listener = Listener(authkey="+format.Repr(authkey)+")"))
		address := testkit.GoAddress(t, p, "listener.address")
		var done sync.WaitGroup
		for range clients {
			done.Go(func() {
				ctx := within(t, testkit.Patience)
				c, err := connection.Dial(ctx, address, &connection.Options{Authkey: authkey})
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				err = c.Send(ctx, "x")
				if v, recvErr := c.Recv(ctx); v != "x" || err != nil || recvErr != nil {
					t.Error(v, err, recvErr)
				}
			})
		}
		time.Sleep(50 * time.Millisecond) // the queue is full by now
		check(t, p.Exec(fmt.Sprintf("thread = serve(listener, %d, echo)", clients)))
		done.Wait()
		check(t, p.Exec("thread.join()\nlistener.close()"))
	})
}

// Go starts Python, which inherits one end as descriptor 3.
func TestPythonInheritsPipe(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		c, f, err := connection.Pipe()
		check(t, err)
		defer c.Close()
		child := exec.CommandContext(t.Context(), py.Path, "-c", connectionPython+"\nassert os.get_blocking(3)\necho(Connection(3))")
		child.ExtraFiles = []*os.File{f}
		var stderr strings.Builder
		child.Stderr = &stderr
		check(t, child.Start())
		f.Close()
		wantEcho(t, c)
		check(t, c.Close())
		if err := child.Wait(); err != nil {
			t.Errorf("%v\n%s", err, &stderr)
		}
	})
}

// The role of a Go program that Python starts: it sends back on the second descriptor
// what it receives from the first, which may be the same.
func init() {
	testkit.Roles["echo"] = func(args []string, _ <-chan string) error {
		conns := map[string]*connection.Conn{}
		for _, arg := range args {
			fd, err := strconv.Atoi(arg)
			if err != nil {
				return err
			}
			if conns[arg] == nil {
				if conns[arg], err = connection.FromFile(os.NewFile(uintptr(fd), "pipe")); err != nil {
					return err
				}
			}
		}
		ctx := context.Background()
		for {
			v, err := conns[args[0]].Recv(ctx)
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = conns[args[1]].Send(ctx, v)
			}
			if err != nil {
				return err
			}
		}
	}
}

// Python starts Go, which inherits an end of a Pipe, or of two. They are Python's open
// files, too, and must stay blocking while Go waits for them.
func TestGoInheritsPipe(t *testing.T) {
	t.Parallel()
	var command []any
	for _, word := range testkit.Executable(t) {
		command = append(command, word)
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startConnecter(t, py)
		check(t, p.Exec(`
def exchange(r, w):
    ok = True
    for v in [1, 'two', None, {'k': (1, 2)}, b'x' * 300000, 2**70]:
        thread = threading.Thread(target=w.send, args=(v,))  # neither side may wait for the other
        thread.start()
        ok = ok and r.recv() == v
        thread.join()
    return ok
def start_go(*fds):
    env = dict(os.environ, `+testkit.RoleEnv+`='echo')
    return subprocess.Popen(`+format.Repr(command)+` + [str(fd) for fd in fds], pass_fds=fds, env=env)
`))
		t.Run("duplex", func(t *testing.T) {
			check(t, p.Exec("mine, theirs = Pipe()\nchild = start_go(theirs.fileno(), theirs.fileno())"))
			wantEqual(t, "exchanged", must(p.Eval("exchange(mine, mine)"))(t), any(true))
			time.Sleep(20 * time.Millisecond) // Go waits
			wantEqual(t, "blocking", must(p.Eval("[os.get_blocking(c.fileno()) for c in (mine, theirs)]"))(t), any([]any{true, true}))
			check(t, p.Exec("theirs.close()\nmine.close()"))
			wantEqual(t, "exit status", must(p.Eval("child.wait(20)"))(t), any(int64(0)))
		})
		t.Run("one way each", func(t *testing.T) {
			check(t, p.Exec("r, their_w = Pipe(False)\ntheir_r, w = Pipe(False)\nchild = start_go(their_r.fileno(), their_w.fileno())"))
			wantEqual(t, "exchanged", must(p.Eval("exchange(r, w)"))(t), any(true))
			time.Sleep(20 * time.Millisecond)
			wantEqual(t, "blocking", must(p.Eval("[os.get_blocking(c.fileno()) for c in (r, w, their_r, their_w)]"))(t), any([]any{true, true, true, true}))
			check(t, p.Exec("their_r.close()\ntheir_w.close()\nw.close()"))
			wantEqual(t, "exit status", must(p.Eval("child.wait(20)"))(t), any(int64(0)))
			check(t, p.Exec("r.close()"))
		})
	})
}

// A Connection goes through a connection, from Python to Go and from Go to Python, inside
// of another value. The sender of 3.14 and later waits for a byte that confirms it.
func TestConnectionThroughConnection(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startConnecter(t, py)
		ctx := within(t, testkit.Patience)
		check(t, p.Exec("multiprocessing.current_process().authkey = "+format.Repr(authkey)))
		l := must(connection.Listen("", &connection.Options{Authkey: authkey}))(t)
		defer l.Close()
		check(t, p.Exec("conn = Client("+l.PythonAddress()+", authkey="+format.Repr(authkey)+")"))
		c := must(l.Accept(ctx))(t)
		defer c.Close()

		for what, pipe := range map[string]string{"duplex": "Pipe()", "one way": "Pipe(False)"} {
			check(t, p.Exec("mine, given = "+pipe+"\nconn.send({'given': given})"))
			got := must(c.Recv(ctx))(t).(*pickle.Dict)
			v, _ := got.Get("given")
			_, err := connection.Rebuild(ctx, v, []byte("another"))
			if !errors.Is(err, connection.ErrAuth) {
				t.Errorf("%s: another key: %v", what, err)
			}
			given := must(connection.Rebuild(ctx, v, authkey))(t)
			check(t, given.Send(ctx, "from Go"))
			wantEqual(t, what, must(p.Eval("mine.recv()"))(t), any("from Go"))
			wantEqual(t, what+" blocking", must(p.Eval("os.get_blocking(given.fileno())"))(t), any(true))
			check(t, p.Exec("given.close()"))
			check(t, given.Close())
			_, err = p.Eval("mine.recv()")
			wantPythonError(t, err, "EOFError", "")
			check(t, p.Exec("mine.close()"))
		}

		mine, f, err := connection.Pipe()
		check(t, err)
		defer mine.Close()
		offer := must(connection.Share(must(connection.FromFile(f))(t), authkey))(t)
		defer offer.Close()
		check(t, c.Send(ctx, pickle.Tuple{"given", offer.Value()}))
		check(t, p.Exec("_, given = conn.recv()\nassert os.get_blocking(given.fileno())\nthread = threading.Thread(target=echo, args=(given,))\nthread.start()"))
		check(t, offer.Wait(ctx))
		wantEcho(t, mine)
		check(t, mine.Close())
		check(t, p.Exec("thread.join()\nconn.close()"))
	})
}

// ended returns a context that is done.
func ended(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
