package manager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// dial connects to a manager, without a handshake.
func dial(t testing.TB, m *Manager) net.Conn {
	t.Helper()
	a := m.address()
	conn, err := net.Dial(a.Network, a.Name)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

// authenticated connects to a manager as far as the request.
func authenticated(t testing.TB, m *Manager) net.Conn {
	t.Helper()
	conn := dial(t, m)
	if err := wire.AuthenticateClient(conn, key); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a request and returns the reply, after which the connection ends.
func ask(t testing.TB, m *Manager, pickle []byte) []byte {
	t.Helper()
	conn := authenticated(t, m)
	if err := wire.WriteFrame(conn, pickle); err != nil {
		t.Fatal(err)
	}
	return replyTo(t, conn)
}

func replyTo(t testing.TB, conn io.Reader) []byte {
	t.Helper()
	reply, err := wire.ReadFrame(conn, maxReply)
	if err != nil {
		t.Fatal(err)
	}
	wantEnd(t, conn)
	return reply
}

// wantEnd waits until the manager has closed the connection.
func wantEnd(t testing.TB, conn io.Reader) {
	t.Helper()
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v, where the end was expected", n, err)
	}
}

func returned(value any) string { return string(encodeReply(kindReturn, value)) }

func raised(exception string) string {
	return string(encodeReply(kindTraceback, "Traceback (most recent call last):\n"+exception+"\n"))
}

// Replies are the same as from CPython's server, but a traceback has only its first
// and last line.
func TestReplies(t *testing.T) {
	m := startManager(t, "")
	name, gone := testkit.Name(t), testkit.Name(t)
	o := segment(t, name)
	for _, tc := range []struct {
		request []byte
		reply   string
	}{
		{encodeRequest("dummy"), returned(nil)},
		{encodeRequest("number_of_objects"), returned(0)},
		{encodeRequest("debug_info"), returned("")},
		{encodeRequest("list_segments"), returned([]string{})},
		{encodeRequest("track_segment", name), returned(nil)},
		{encodeRequest("list_segments"), returned([]string{name})},
		{encodeRequest("track_segment", gone), returned(nil)},
		{encodeRequest("track_segment", "/"+name), returned(nil)},
		{encodeRequest("list_segments"), returned([]string{name, gone, name})},
		{encodeRequest("release_segment", name), returned(nil)},
		{encodeRequest("release_segment", gone), raised("FileNotFoundError: [Errno 2] No such file or directory: '/" + gone + "'")},
		{encodeRequest("release_segment", gone), raised("ValueError: list.remove(x): x not in list")},
		{encodeRequest("list_segments"), returned([]string{name})},

		{encodeRequest("nonsense"), raised("AssertionError: 'nonsense' unrecognized")},
		{encodeRequest("it's"), raised(`AssertionError: "it's" unrecognized`)},
		{encodeRequest("create", "Lock"), raised("KeyError: 'Lock'")},
		{encodeRequest("dummy", "x"), raised("TypeError: SharedMemoryServer.dummy() takes 2 positional arguments but 3 were given")},
		{encodeRequest("track_segment"), raised("TypeError: SharedMemoryServer.track_segment() missing 1 required positional argument: 'segment_name'")},
		{[]byte("(N\x8c\x0dtrack_segmentK\x05\x85}t."), raised("TypeError: segment_name is int, not str")},
		{encodeRequest("track_segment", "a/b"), raised("ValueError: the name contains a slash: 'a/b'")},
		{encodeRequest("release_segment", ""), raised("ValueError: the name is empty: ''")},
		{encodeRequest("track_segment", strings.Repeat("n", 300)), raised("OSError: [Errno 36] File name too long: '/" + strings.Repeat("n", 300) + "'")},
		{[]byte("oops"), raised("_pickle.UnpicklingError: pickle: unmarshal: opcode OBJ at byte 0: malformed pickle: there is no mark on the stack")},
		{[]byte(""), raised("_pickle.UnpicklingError: pickle data was truncated")},
		{[]byte("(NNNt."), raised("ValueError: not enough values to unpack (expected 4, got 3)")},
		{encodeRequest("dummy"), returned(nil)},
	} {
		if reply := ask(t, m, tc.request); string(reply) != tc.reply {
			t.Errorf("%q:\ngot  %q\nwant %q", tc.request, reply, tc.reply)
		}
	}
	if o.links(t) != 0 {
		t.Errorf("%d names are left", o.links(t))
	}

	// A request that cannot be read at all.
	conn := authenticated(t, m)
	fmt.Fprintf(conn, "\x00\x01\x00\x01")
	if reply := replyTo(t, conn); !bytes.Contains(reply, []byte("OSError: ")) {
		t.Errorf("a frame of 64 KiB and a byte: %q", reply)
	}
	conn = authenticated(t, m)
	request := encodeRequest("dummy")
	fmt.Fprintf(conn, "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00%c%s", len(request), request)
	if reply := replyTo(t, conn); string(reply) != returned(nil) {
		t.Errorf("a frame in the long form: %q", reply)
	}

	if reply := ask(t, m, encodeRequest("shutdown")); string(reply) != returned(nil) {
		t.Errorf("shutdown: %q", reply)
	}
	<-m.Done()
}

// A log could not print these values: a dict that contains itself, and tuples of
// tuples, 2^60 in all.
func TestRequestsThatCannotBePrinted(t *testing.T) {
	const unreadable = "_pickle.UnpicklingError: pickle: unmarshal: at byte "
	for what, tc := range map[string]struct{ arguments, want string }{
		"endless": {"(}q\x00\x8c\x01xh\x00st", unreadable + "12: recursive value"},
		"huge":    {"()q\x00" + strings.Repeat("h\x00\x86q\x00", 60) + "t", unreadable + "122: limit exceeded: the value is larger than 67129280 when all its references are followed"},
		"large":   {"()q\x00" + strings.Repeat("h\x00\x86q\x00", 18) + "t", "TypeError: SharedMemoryServer.dummy() takes 2 positional arguments but 3 were given"},
	} {
		t.Run(what, func(t *testing.T) {
			log := &testkit.Log{}
			m := startManager(t, "", Logger(log.Logger()))
			reply := ask(t, m, []byte("\x80\x04(N\x8c\x05dummy"+tc.arguments+"}t."))
			if string(reply) != raised(tc.want) {
				t.Errorf("reply %q", reply)
			}
			if !strings.Contains(log.String(), "level=DEBUG msg=request method=") || len(log.String()) > 1000 {
				t.Errorf("logged:\n%.1000s", log)
			}
		})
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	log := &testkit.Log{}
	m := startManager(t, "127.0.0.1:0", Logger(log.Logger()))
	for _, other := range []string{"T", "The key of the tests", "the key of the tests "} {
		_, err := NewClient(m.Address(), []byte(other)).Segments(t.Context())
		wantReason(t, "another key", err, ErrAuth)
	}
	testkit.Eventually(t, "three log entries", func() bool { return strings.Count(log.String(), `level=WARN msg="client refused"`) == 3 })

	_, err := NewClient(m.Address(), nil).Segments(t.Context())
	wantReason(t, "an empty key", err, fs.ErrInvalid)

	conn := dial(t, m)
	fmt.Fprintf(conn, "\x00\x00\x01\x01") // more than a handshake needs
	if _, err := wire.ReadFrame(conn, 1000); err != nil {
		t.Error(err)
	}
	wantEnd(t, conn)
	if _, err := NewClient(m.Address(), key).Segments(t.Context()); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if strings.Contains(log.String(), string(key)) {
		t.Errorf("the authkey is in the log:\n%s", log)
	}
}

// wantPrompt makes requests, which must not have to wait for other clients.
func wantPrompt(t *testing.T, m *Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 5 {
		if _, err := NewClient(m.Address(), key).Segments(ctx); err != nil {
			t.Fatalf("a client among strangers: %v", err)
		}
	}
}

func TestSlowStrangers(t *testing.T) {
	t.Parallel()
	m := startManager(t, "", HandshakeTimeout(2*time.Second))
	var strangers []net.Conn
	for i := range 60 {
		conn := dial(t, m)
		if i%2 == 0 {
			go func() { // a byte at a time
				for _, b := range []byte("\x00\x00\x00\x40{sha256}" + strings.Repeat("x", 56)) {
					if _, err := conn.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}()
		}
		strangers = append(strangers, conn)
	}
	wantPrompt(t, m)
	for _, conn := range strangers {
		if _, err := wire.ReadFrame(conn, 1000); err != nil {
			t.Error(err)
		}
		wantEnd(t, conn)
	}
}

// waitAuthenticated waits until the manager has read the client's last message, too.
func waitAuthenticated(t *testing.T, m *Manager) {
	t.Helper()
	testkit.Eventually(t, "authenticated", func() bool {
		_, authenticated := m.door.Guests()
		return authenticated > 0
	})
}

func TestStrangersMakeRoom(t *testing.T) {
	t.Parallel()
	m := startManager(t, "", MaxConnections(3), HandshakeTimeout(time.Hour))
	client := authenticated(t, m)
	waitAuthenticated(t, m)
	for range 20 {
		dial(t, m)
	}
	wantPrompt(t, m)
	// The client that had proved to know the key was not among the clients sent away.
	if err := wire.WriteFrame(client, encodeRequest("dummy")); err != nil {
		t.Fatal(err)
	}
	replyTo(t, client)
}

// The client whose handshake has lasted longest makes room.
func TestOldestStrangerMakesRoom(t *testing.T) {
	m := startManager(t, "", MaxConnections(2), HandshakeTimeout(time.Hour))
	start := time.Now()
	oldest, second := dial(t, m), dial(t, m)
	challenge := func(conn net.Conn) {
		t.Helper()
		if _, err := wire.ReadFrame(conn, 1000); err != nil {
			t.Fatal(err)
		}
	}
	challenge(oldest)
	challenge(second)
	challenge(dial(t, m))
	wantEnd(t, oldest)
	if age := time.Since(start); age < admission.Grace {
		t.Errorf("the oldest had only %v for its handshake", age)
	}
	second.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
}

func TestClientsWaitForEachOther(t *testing.T) {
	m := startManager(t, "", MaxConnections(1))
	first := authenticated(t, m)
	waitAuthenticated(t, m)
	second := make(chan error)
	go func() {
		_, err := NewClient(m.Address(), key).Segments(t.Context())
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("a second connection: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestRequestTimeout(t *testing.T) {
	m := startManager(t, "", RequestTimeout(50*time.Millisecond))
	conn := authenticated(t, m)
	if reply, err := wire.ReadFrame(conn, maxReply); err == nil && !bytes.Contains(reply, []byte("timeout")) {
		t.Errorf("reply %q", reply)
	}
	wantEnd(t, conn)
}

// A client that thinks for longer than a handshake may take is served.
func TestRequestMayTakeLong(t *testing.T) {
	t.Parallel()
	m := startManager(t, "", HandshakeTimeout(500*time.Millisecond))
	conn := authenticated(t, m)
	time.Sleep(700 * time.Millisecond)
	if err := wire.WriteFrame(conn, encodeRequest("dummy")); err != nil {
		t.Fatal(err)
	}
	if reply := replyTo(t, conn); string(reply) != returned(nil) {
		t.Errorf("reply %q", reply)
	}
}

func TestClientThatDoesNotReadItsReply(t *testing.T) {
	t.Parallel()
	m := startManager(t, "", HandshakeTimeout(time.Second))
	name := testkit.Name(t)
	segment(t, name)
	for range 10_000 { // more than the buffers of a socket hold
		if err := m.Track(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	conn := authenticated(t, m)
	if err := wire.WriteFrame(conn, encodeRequest("list_segments")); err != nil {
		t.Fatal(err)
	}
	wantPrompt(t, m)
	testkit.Eventually(t, "given up", func() bool {
		sessions, _ := m.door.Guests()
		return sessions == 0
	})
}

func TestShutdownEndsIdleSessions(t *testing.T) {
	m := startManager(t, "")
	stranger, client := dial(t, m), authenticated(t, m)
	start := time.Now()
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	wire.ReadFrame(stranger, 1000) // the challenge
	wantEnd(t, stranger)
	wantEnd(t, client)
}

// A thousand connections at a time: strangers, clients that think, and clients that
// ask.
func TestThousandConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 3000 {
		t.Skipf("this process may have only %d descriptors, 3000 are needed", limit.Cur)
	}
	m := startManager(t, "")
	for range 500 {
		dial(t, m)
		authenticated(t, m)
	}
	start := time.Now()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 3 {
				if _, err := NewClient(m.Address(), key).Segments(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("300 requests among 1000 idle connections took %v", time.Since(start).Round(time.Millisecond))
}

// A panickyListener hands out connections. The first one panics when it is read.
type panickyListener struct {
	net.Listener
	accepted int
}

type panickyConn struct{ net.Conn }

func (panickyConn) Read([]byte) (int, error) { panic("a bug") }

func (l *panickyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if l.accepted++; err == nil && l.accepted == 1 {
		return panickyConn{conn}, nil
	}
	return conn, err
}

func TestPanicEndsOneSession(t *testing.T) {
	hidesPanics = true
	defer func() { hidesPanics = false }()
	log := &testkit.Log{}
	m, err := New(Logger(log.Logger()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- m.Serve(&panickyListener{Listener: l}, key) }()
	_, err = NewClient(l.Addr().String(), key).Segments(t.Context())
	wantReason(t, "the first client", err, io.ErrUnexpectedEOF)
	if _, err := NewClient(l.Addr().String(), key).Segments(t.Context()); err != nil {
		t.Errorf("the second client: %v", err)
	}
	if !strings.Contains(log.String(), `level=ERROR msg="session ended by a panic" client=`) || !strings.Contains(log.String(), "panickyConn") {
		t.Errorf("log:\n%s", log)
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Where there are no descriptors left, strangers make room, too.
func TestDescriptorsRunOut(t *testing.T) {
	const strangers = 20
	log := &testkit.Log{}
	m := startManager(t, "", HandshakeTimeout(time.Hour), Logger(log.Logger()))
	first := authenticated(t, m)
	waitAuthenticated(t, m)
	for range strangers {
		dial(t, m)
	}
	sessions := func() int {
		all, _ := m.door.Guests()
		return all
	}
	testkit.Eventually(t, "strangers in", func() bool { return sessions() == strangers+1 })
	sockets := make([]*os.File, strangers+1)
	for i := range sockets {
		sockets[i] = unconnected(t)
	}
	time.Sleep(admission.Grace)
	restore := allowNoMoreDescriptors(t)
	for i, socket := range sockets[:strangers] {
		connect(t, socket, m.Address())
		if err := wire.AuthenticateClient(socket, key); err != nil {
			t.Fatalf("a client among strangers: %v", err)
		}
		if i == 0 { // they have all been sent away at once
			testkit.Eventually(t, "two clients", func() bool { return sessions() == 2 })
		}
	}
	testkit.Eventually(t, "no strangers left", func() bool { return sessions() == strangers+1 })

	last := sockets[strangers] // has to wait: no stranger is left to make room
	connect(t, last, m.Address())
	time.Sleep(200 * time.Millisecond)
	if n := strings.Count(log.String(), "not accepted yet"); n != 1 {
		t.Errorf("%d log entries", n)
	}
	restore()
	if err := wire.AuthenticateClient(last, key); err != nil {
		t.Fatalf("a client that had to wait: %v", err)
	}
	clients := []io.ReadWriter{first}
	for _, socket := range sockets {
		clients = append(clients, socket)
	}
	for _, client := range clients {
		if err := wire.WriteFrame(client, encodeRequest("dummy")); err != nil {
			t.Fatal(err)
		}
		if reply := replyTo(t, client); string(reply) != returned(nil) {
			t.Errorf("reply %q", reply)
		}
	}
}

// A manager has fewer sessions than the process may have descriptors.
func TestDescriptorsForSessions(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 400, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	for given, want := range map[int]int{4096: 300, 301: 300, 299: 299, 1: 1} {
		m := startManager(t, "", MaxConnections(given))
		if got := m.door.Room(); got != want {
			t.Errorf("MaxConnections(%d) with 400 descriptors: %d", given, got)
		}
	}
}

// unconnected makes a socket that can be connected without another descriptor.
func unconnected(t *testing.T) *os.File {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { socket.Close() })
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	return socket
}

func connect(t *testing.T, socket *os.File, path string) {
	t.Helper()
	if err := syscall.Connect(int(socket.Fd()), &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

// allowNoMoreDescriptors lets this process open no more descriptors than it has, until
// the test ends or the function that it returns is called.
func allowNoMoreDescriptors(t *testing.T) (restore func()) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	free, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Close(free)
	set := func(limit syscall.Rlimit) {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	restore = func() { set(limit) }
	t.Cleanup(restore)
	set(syscall.Rlimit{Cur: uint64(free), Max: limit.Max})
	return restore
}
