//go:build linux || darwin || freebsd

package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/admission"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// rawDial connects without a word, until the test ends.
func rawDial(t testing.TB, l *Listener) net.Conn {
	t.Helper()
	conn := must(net.Dial(l.address.Network, l.address.Name))(t)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's")
	addresses := map[string]string{path: `"` + path + `"`, "127.0.0.1:0": "('127.0.0.1', "}
	if runtime.GOOS == "linux" {
		addresses["@"+testkit.Prefix+"a"] = `b'\x00` + testkit.Prefix + `a'`
	} else {
		_, err := Listen("@a", nil)
		wantReason(t, "an abstract socket", err, errors.ErrUnsupported)
	}
	for address, want := range addresses {
		l := listenAt(t, address, nil)
		if got := l.PythonAddress(); !strings.HasPrefix(got, want) {
			t.Errorf("%s in Python: %s", address, got)
		}
		if !strings.HasSuffix(address, ":0") && l.Address() != address {
			t.Errorf("%s: %s", address, l.Address())
		}
		connected(t, l, nil)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	_, err := Listen(path, nil)
	wantReason(t, "in use", err, syscall.EADDRINUSE)
	for _, bad := range []string{"nonsense", "1:2:3", "/a\x00b", "/" + strings.Repeat("n", 200)} {
		_, err := Listen(bad, nil)
		wantReason(t, "listen at "+bad, err, fs.ErrInvalid)
		_, err = Dial(t.Context(), bad, nil)
		wantReason(t, "dial "+bad, err, fs.ErrInvalid)
	}
	_, err = Dial(t.Context(), "", nil)
	wantReason(t, "dial nothing", err, fs.ErrInvalid)
	_, err = Dial(t.Context(), path+"2", nil)
	wantReason(t, "dial where no server is", err, syscall.ECONNREFUSED)
}

// A socket in a folder of its own goes with the folder.
func TestUnnamedSocket(t *testing.T) {
	l := must(Listen("", nil))(t)
	check(t, l.Close())
	check(t, l.Close())
	if _, err := os.Stat(filepath.Dir(l.Address())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

func TestRefusedOptions(t *testing.T) {
	for what, o := range map[string]*Options{
		"an empty authkey":   {Authkey: []byte{}},
		"a negative timeout": {HandshakeTimeout: -1},
		"a negative number":  {Waiting: -1},
	} {
		_, err := Listen("127.0.0.1:0", o)
		wantReason(t, what, err, fs.ErrInvalid)
		_, err = Dial(t.Context(), "127.0.0.1:1", o)
		wantReason(t, what, err, fs.ErrInvalid)
		if what == "an empty authkey" && !strings.Contains(err.Error(), "would wait for ever") {
			t.Errorf("no reason in %v", err)
		}
	}
}

func TestWrongKey(t *testing.T) {
	wantDescriptors(t)
	log := &testkit.Log{}
	l := listenAt(t, "", &Options{Authkey: key, Log: log.Logger()})
	ctx := within(t, testkit.Patience)
	_, err := Dial(ctx, l.Address(), &Options{Authkey: []byte("another")})
	wantReason(t, "another key", err, ErrAuth)
	// Without a key the challenge is the first message.
	c := must(Dial(ctx, l.Address(), nil))(t)
	_, err = c.Recv(ctx)
	wantReason(t, "no key", err, ErrAuth)
	c.Close()
	connected(t, l, &Options{Authkey: key})
	testkit.Eventually(t, "logged", func() bool { return strings.Contains(log.String(), "level=WARN msg=\"client refused\"") })
	if strings.Contains(log.String(), string(key)) {
		t.Errorf("the authkey is in the log:\n%s", log)
	}
}

// A server without an authkey makes no handshake: the context, or the timeout, ends the
// wait for it.
func TestKeyOnOneSide(t *testing.T) {
	l := listenAt(t, "", nil)
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	_, err := Dial(ctx, l.Address(), &Options{Authkey: key})
	wantReason(t, "a server without a key", err, context.DeadlineExceeded)
	_, err = Dial(t.Context(), l.Address(), &Options{Authkey: key, HandshakeTimeout: moment})
	wantReason(t, "a server without a key", err, context.DeadlineExceeded)
}

func TestServerOfAnotherProtocol(t *testing.T) {
	for what, tc := range map[string]struct {
		said string
		want error
	}{
		"a web server":                   {"HTTP/1.1 400 Bad Request\r\n\r\n", ErrProtocol},
		"one that is gone in the middle": {"\x00\x00\x00\x3b#CHAL", io.ErrUnexpectedEOF},
		"one that says nothing":          {"", io.ErrUnexpectedEOF},
	} {
		s := must(net.Listen("tcp", "127.0.0.1:0"))(t)
		go func() {
			if conn, err := s.Accept(); err == nil {
				io.WriteString(conn, tc.said)
				conn.Close()
			}
			s.Close()
		}()
		_, err := Dial(within(t, testkit.Patience), s.Addr().String(), &Options{Authkey: key})
		wantReason(t, what, err, tc.want)
	}
}

// Clients that say nothing, or too slowly, stop no other client, and are sent away.
func TestSilentClients(t *testing.T) {
	wantDescriptors(t)
	l := listenAt(t, "", &Options{Authkey: key, HandshakeTimeout: time.Second})
	var silent []net.Conn
	for range 50 {
		silent = append(silent, rawDial(t, l))
	}
	connected(t, l, &Options{Authkey: key})
	for _, conn := range silent {
		if _, err := wire.ReadFrame(conn, 1000); err != nil {
			t.Error(err)
		}
		if _, err := wire.ReadFrame(conn, 1000); !wire.IsGone(err) {
			t.Errorf("not sent away: %v", err)
		}
	}
}

// They make room even when they have all the time in the world.
func TestSilentClientsMakeRoom(t *testing.T) {
	l := listenAt(t, "", &Options{Authkey: key, HandshakeTimeout: time.Hour, Waiting: 3})
	for range 10 {
		rawDial(t, l)
	}
	connected(t, l, &Options{Authkey: key})
}

// Clients that break off are no error of Accept.
func TestClientsThatBreakOff(t *testing.T) {
	wantDescriptors(t)
	l := listenAt(t, "127.0.0.1:0", &Options{Authkey: key})
	for _, said := range []string{"", "x", "\x00\x00\x00\x05hello", "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n"} {
		conn := rawDial(t, l)
		io.WriteString(conn, said)
		conn.Close()
	}
	connected(t, l, &Options{Authkey: key})
}

func TestAccept(t *testing.T) {
	wantDescriptors(t)
	l := listenAt(t, "", &Options{Authkey: key})
	_, err := l.Accept(past(t))
	wantReason(t, "no client", err, context.Canceled)
	// The handshake needs no Accept, and a ready client is accepted at once.
	c := must(Dial(within(t, testkit.Patience), l.Address(), &Options{Authkey: key}))(t)
	defer c.Close()
	var server *Conn
	testkit.Eventually(t, "accepted", func() bool {
		server, err = l.Accept(past(t))
		return err == nil
	})
	server.Close()

	waiting := must(Dial(within(t, testkit.Patience), l.Address(), &Options{Authkey: key}))(t)
	defer waiting.Close()
	stranger := rawDial(t, l)
	testkit.Eventually(t, "ready", func() bool { all, welcome := l.door.Guests(); return all == 2 && welcome == 1 })
	check(t, l.Close())
	if _, err := waiting.Recv(within(t, testkit.Patience)); !wire.IsGone(err) {
		t.Errorf("a client that was not accepted: %v", err)
	}
	wire.ReadFrame(stranger, 1000)
	if _, err := wire.ReadFrame(stranger, 1000); !wire.IsGone(err) {
		t.Errorf("a stranger: %v", err)
	}
	_, err = l.Accept(t.Context())
	wantReason(t, "closed", err, fs.ErrClosed)
}

// A listener that is closed right after Accept leaves the connection alone.
func TestAcceptedStays(t *testing.T) {
	for range 300 {
		l := must(Listen("", nil))(t)
		client := rawDial(t, l)
		server := must(l.Accept(within(t, testkit.Patience)))(t)
		check(t, l.Close())
		check(t, server.SendBytes(t.Context(), []byte("still there")))
		must(wire.ReadFrame(client, 1000))(t)
		server.Close()
	}
}

func TestCloseEndsAccept(t *testing.T) {
	l := listenAt(t, "", nil)
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(t.Context()); accepted <- err }()
	time.Sleep(moment)
	check(t, l.Close())
	wantReason(t, "accept", <-accepted, fs.ErrClosed)
}

// More clients at once than may wait: all are served. A client whose handshake lasts for
// admission.Grace, on a busy machine, may be sent away, and tries again.
func TestManyClients(t *testing.T) {
	const clients = 100
	wantDescriptors(t)
	l := listenAt(t, "", &Options{Authkey: key, Waiting: 5})
	var done sync.WaitGroup
	ask := func(i int) error {
		ctx := within(t, testkit.Patience)
		c, err := Dial(ctx, l.Address(), &Options{Authkey: key})
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Send(ctx, i); err != nil {
			return err
		}
		if got, err := c.Recv(ctx); got != int64(i) {
			return fmt.Errorf("%v, %w", got, err)
		}
		return nil
	}
	for i := range clients {
		done.Go(func() {
			begin := time.Now()
			err := ask(i)
			for ; wire.IsGone(err) && time.Since(begin) >= admission.Grace; err = ask(i) {
				begin = time.Now()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range clients {
		c := must(l.Accept(within(t, testkit.Patience)))(t)
		done.Go(func() {
			defer c.Close()
			v, err := c.Recv(within(t, testkit.Patience))
			if err == nil {
				err = c.Send(within(t, testkit.Patience), v)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

func TestFIPSOnly(t *testing.T) {
	if !testkit.InFIPSOnlyMode(t) {
		return
	}
	_, err := Listen("", &Options{Authkey: key[:13]})
	wantReason(t, "a short key", err, fs.ErrInvalid)
	o := &Options{Authkey: key[:14]}
	connected(t, listenAt(t, "", o), o)
}
