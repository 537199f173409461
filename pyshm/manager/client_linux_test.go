package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A fakeServer does to each client what a test wants.
func fakeServer(t *testing.T, serve func(conn net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "sock"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String()
}

// answering returns a server that sends the same bytes in reply to every request.
func answering(t *testing.T, reply []byte) *Client {
	return NewClient(fakeServer(t, func(conn net.Conn) {
		if wire.AuthenticateServer(conn, key) == nil {
			wire.ReadFrame(conn, maxRequest)
			wire.WriteFrame(conn, reply)
		}
	}), key)
}

func TestNoServer(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "sock")})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for what, address := range map[string]string{
		"no socket":  filepath.Join(t.TempDir(), "sock"),
		"a dead one": l.Addr().String(), "abstract": "@" + testkit.Name(t), "tcp": "127.0.0.1:1",
	} {
		c := NewClient(address, key)
		_, create := c.Create(t.Context(), 1)
		_, segments := c.Segments(t.Context())
		for _, err := range []error{create, segments, c.Release(t.Context(), "x"), c.Shutdown(t.Context())} {
			wantReason(t, what, err, syscall.ECONNREFUSED)
			if errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no server listens there") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	_, err = NewClient("nonsense", key).Segments(t.Context())
	wantReason(t, "bad address", err, fs.ErrInvalid)
}

// fullServer is a server whose queue of clients is full until the test accepts them.
func fullServer(t *testing.T) (l *net.UnixListener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "listener")
	defer socket.Close()
	path := filepath.Join(t.TempDir(), "sock")
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.FileListener(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	for {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return listener.(*net.UnixListener)
		}
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

func TestFullServerIsWaitedFor(t *testing.T) {
	t.Parallel()
	l := fullServer(t)
	c := NewClient(l.Addr().String(), key)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Segments(ctx)
	wantReason(t, "a full queue", err, context.DeadlineExceeded)
	if !strings.Contains(err.Error(), "the server's queue of clients is full") {
		t.Errorf("a full queue: %v", err)
	}

	answered := make(chan error)
	go func() {
		_, err := c.Segments(t.Context())
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a full queue: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if wire.AuthenticateServer(conn, key) == nil {
				wire.ReadFrame(conn, maxRequest)
				wire.WriteFrame(conn, encodeReply(kindReturn, []string{"x"}))
			}
			conn.Close()
		}
	}()
	if err := <-answered; err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestServerWithoutTheKey(t *testing.T) {
	impostor := fakeServer(t, func(conn net.Conn) {
		wire.AuthenticateServer(conn, []byte("another"))
	})
	_, err := NewClient(impostor, key).Create(t.Context(), 1)
	wantReason(t, "impostor", err, ErrAuth)
	web := fakeServer(t, func(conn net.Conn) { io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	_, err = NewClient(web, key).Segments(t.Context())
	wantReason(t, "another protocol", err, wire.ErrProtocol)
}

func TestServerGoneInTheMiddle(t *testing.T) {
	for what, serve := range map[string]func(net.Conn){
		"at once":             func(net.Conn) {},
		"in the handshake":    func(conn net.Conn) { io.WriteString(conn, "\x00\x00\x00\x3b#CHAL") },
		"after the handshake": func(conn net.Conn) { wire.AuthenticateServer(conn, key) },
		"before the reply": func(conn net.Conn) {
			wire.AuthenticateServer(conn, key)
			wire.ReadFrame(conn, maxRequest)
		},
		"in the reply": func(conn net.Conn) {
			wire.AuthenticateServer(conn, key)
			wire.ReadFrame(conn, maxRequest)
			io.WriteString(conn, "\x00\x00\x00\x19\x80\x04")
		},
	} {
		_, err := NewClient(fakeServer(t, serve), key).Segments(t.Context())
		wantReason(t, what, err, io.ErrUnexpectedEOF)
	}
}

func TestReplyRefused(t *testing.T) {
	for what, reply := range map[string]string{
		"a pickle of a call": "cos\nsystem\n(Vtrue\ntR.",
		"not a list":         returned("x"),
		"a list of ints":     "\x8c\x07#RETURN]K\x05a\x86.",
		"unknown kind":       "\x8c\x06#ERRORN\x86.",
	} {
		_, err := answering(t, []byte(reply)).Segments(t.Context())
		if err == nil || !strings.Contains(err.Error(), "unreadable reply") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := NewClient(fakeServer(t, func(conn net.Conn) {
		wire.AuthenticateServer(conn, key)
		wire.ReadFrame(conn, maxRequest)
		fmt.Fprint(conn, "\x7f\xff\xff\xff")
	}), key).Segments(t.Context())
	wantReason(t, "a reply of 2 GiB", err, wire.ErrTooLong)
}

func TestRemoteError(t *testing.T) {
	for text, want := range map[string]struct {
		message string
		is      error
	}{
		"Traceback (most recent call last):\n  File ...\nValueError: list.remove(x): x not in list\n": {
			`the name is not tracked: exception in the server: "ValueError: list.remove(x): x not in list"`, ErrNotTracked},
		"Traceback:\nFileNotFoundError: [Errno 2] No such file or directory: '/x'\n": {
			`exception in the server: "FileNotFoundError: [Errno 2] No such file or directory: '/x'"`, fs.ErrNotExist},
		"Traceback:\n  File ...\n    f()\nPicklingError: no\nwhen serializing tuple item 1\n": {
			`exception in the server: "PicklingError: no"`, nil},
		"\x1b[2J":                 {`exception in the server: "\x1b[2J"`, nil},
		"":                        {`exception in the server: ""`, nil},
		strings.Repeat("x", 1000): {`exception in the server: "` + strings.Repeat("x", 300) + `"`, nil},
	} {
		err := answering(t, encodeReply(kindTraceback, text)).Release(t.Context(), "x")
		var remote *RemoteError
		if !errors.As(err, &remote) || remote.Traceback != text || remote.Error() != want.message {
			t.Errorf("%q: %v", text, err)
		}
		for _, reason := range []error{ErrNotTracked, fs.ErrNotExist} {
			if errors.Is(err, reason) != (reason == want.is) {
				t.Errorf("%v is %v: %v", err, reason, errors.Is(err, reason))
			}
		}
	}
}

func TestContextEndsEveryStage(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for what, serve := range map[string]func(net.Conn){
		"before the challenge": func(net.Conn) {},
		"in the handshake":     func(conn net.Conn) { io.WriteString(conn, "\x00\x00\x00\x3b#CHAL") },
		"before the reply":     func(conn net.Conn) { wire.AuthenticateServer(conn, key) },
	} {
		c := NewClient(fakeServer(t, func(conn net.Conn) {
			serve(conn)
			io.Copy(io.Discard, conn) // until the client closes it
		}), key)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := c.Segments(ctx)
		wantReason(t, what, err, context.DeadlineExceeded)
		cancel()

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err = c.Segments(ctx)
		wantReason(t, what, err, context.Canceled)
	}
}

// A new segment is unlinked whenever the request to track it fails.
func TestNothingLeftWhenTrackingFails(t *testing.T) {
	for what, answer := range map[string]string{
		"refused":      raised("PermissionError: no"),
		"unreadable":   "nonsense",
		"no answer":    "",
		"another kind": "\x8c\x06#ERRORN\x86.",
	} {
		var names []string
		address := fakeServer(t, func(conn net.Conn) {
			if wire.AuthenticateServer(conn, key) != nil {
				return
			}
			payload, err := wire.ReadFrame(conn, maxRequest)
			if err != nil {
				return
			}
			if r, err := decodeRequest(payload, requestOpcodes); err == nil && r.method == "track_segment" && !missing(r.segment()) {
				names = append(names, r.segment())
			}
			if answer != "" {
				wire.WriteFrame(conn, []byte(answer))
			}
		})
		block, err := NewClient(address, key).Create(t.Context(), 100)
		if block != nil || !saysItFailed(err, "create", address) {
			t.Errorf("%s: %v, %v", what, block, err)
		}
		list, err := NewClient(address, key).CreateList(t.Context(), []any{1})
		if list != nil || !saysItFailed(err, "create list", address) {
			t.Errorf("%s: %v, %v", what, list, err)
		}
		if len(names) != 2 || !missing(names[0]) || !missing(names[1]) {
			t.Errorf("%s: left: %q", what, names)
		}
	}
}

// The manager tracks the segment, but its reply never reaches the client. No name may
// be left all the same, although a manager restores the names that it tracks.
func TestNothingLeftWhenTheReplyIsLost(t *testing.T) {
	m := startManager(t, "")
	var requests atomic.Int32
	address := fakeServer(t, func(client net.Conn) {
		server, err := net.Dial("unix", m.Address())
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		go io.Copy(server, client)
		for range 4 { // challenge, verdict, response, reply
			frame, err := wire.ReadFrame(server, maxReply)
			if err != nil {
				t.Error(err)
				return
			}
			if string(frame) == returned(nil) && requests.Add(1) == 1 {
				return // the reply to track_segment
			}
			wire.WriteFrame(client, frame)
		}
	})
	_, err := NewClient(address, key).Create(t.Context(), 100)
	wantReason(t, "create", err, io.ErrUnexpectedEOF)
	if names, err := m.Segments(t.Context()); len(names) != 0 || err != nil || requests.Load() != 2 {
		t.Errorf("tracked after %d requests: %q, %v", requests.Load(), names, err)
	}
}

// Like CPython's server, this one breaks off its shutdown at each missing segment.
func TestShutdownOfAServerThatMissesSegments(t *testing.T) {
	missing := []string{"a", "b", "c"}
	stuck := false
	c := NewClient(fakeServer(t, func(conn net.Conn) {
		wire.AuthenticateServer(conn, key)
		payload, _ := wire.ReadFrame(conn, maxRequest)
		r, _ := decodeRequest(payload, requestOpcodes)
		switch {
		case r.method == "list_segments":
			wire.WriteFrame(conn, encodeReply(kindReturn, missing))
		case len(missing) > 0:
			wire.WriteFrame(conn, []byte(raised("FileNotFoundError: [Errno 2] No such file or directory: '/"+missing[0]+"'")))
			if !stuck {
				missing = missing[1:]
			}
		default:
			wire.WriteFrame(conn, encodeReply(kindReturn, nil))
		}
	}), key)
	if err := c.Shutdown(t.Context()); err != nil || len(missing) > 0 {
		t.Errorf("shutdown: %v, left %q", err, missing)
	}
	missing, stuck = []string{"a"}, true
	wantReason(t, "a server that never ends", c.Shutdown(t.Context()), fs.ErrNotExist)
}
