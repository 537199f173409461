//go:build unix

package manager

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// tracker has the methods that a Manager and a Client have in common.
type tracker interface {
	Create(ctx context.Context, size int, opts ...pyshm.OpenOption) (*pyshm.SharedMemory, error)
	CreateList(ctx context.Context, values []any, opts ...pyshm.OpenListOption) (*pyshm.ShareableList, error)
	Track(ctx context.Context, name string) error
	Release(ctx context.Context, name string) error
	Segments(ctx context.Context) ([]string, error)
	Shutdown(ctx context.Context) error
}

var (
	_ tracker = (*Manager)(nil)
	_ tracker = (*Client)(nil)
)

// forEachOwner runs a test on a manager and on clients of managers.
func forEachOwner(t *testing.T, f func(t *testing.T, o tracker)) {
	t.Run("manager", func(t *testing.T) {
		f(t, startManager(t, ""))
	})
	for what, address := range map[string]string{
		"unix": "", "abstract": "@" + testkit.Name(t), "tcp": "127.0.0.1:0",
	} {
		t.Run(what, func(t *testing.T) {
			m := startManager(t, address)
			f(t, NewClient(m.Address(), key))
		})
	}
}

func TestOwnSegments(t *testing.T) {
	forEachOwner(t, func(t *testing.T, o tracker) {
		ctx := t.Context()
		block, err := o.Create(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer block.Close()
		list, err := o.CreateList(ctx, []any{1, "a", nil}, pyshm.Mode(0o640))
		if err != nil {
			t.Fatal(err)
		}
		defer list.Close()
		name := testkit.Name(t)
		mine := segment(t, name)
		if err := o.Track(ctx, "/"+name); err != nil {
			t.Fatal(err)
		}
		want := []string{block.Name(), list.Name(), name}
		if names, err := o.Segments(ctx); err != nil || !slices.Equal(names, want) {
			t.Errorf("segments: %q, %v, want %q", names, err, want)
		}
		if block.Size() != 100 || list.String() != "ShareableList([1, 'a', None], name='"+list.Name()+"')" {
			t.Errorf("made %d bytes and %v", block.Size(), list)
		}
		if info, err := os.Stat(path(list.Name())); err != nil || info.Mode() != 0o640 {
			t.Errorf("list: %v, %v", info, err)
		}

		unlink(t, name)
		testkit.Eventually(t, "the name is back", func() bool { return mine.is(name) })
		if err := o.Release(ctx, "/"+name); err != nil || !missing(name) {
			t.Errorf("release: %v", err)
		}
		if err := block.Unlink(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the block's name is back", func() bool { return !missing(block.Name()) })
		if err := o.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if !missing(block.Name()) || !missing(list.Name()) {
			t.Error("names are left after shutdown")
		}
		if v, err := list.Int(0); v != 1 || err != nil {
			t.Errorf("the list after shutdown: %v, %v", v, err)
		}
	})
}

func TestOwnSegmentsErrors(t *testing.T) {
	forEachOwner(t, func(t *testing.T, o tracker) {
		ctx := t.Context()
		wantReason(t, "release of a name that is not tracked", o.Release(ctx, "x"), ErrNotTracked)
		wantReason(t, "track of a missing segment", o.Track(ctx, testkit.Name(t)), fs.ErrNotExist)
		for _, name := range []string{"", "a/b", ".."} {
			wantReason(t, "track", o.Track(ctx, name), fs.ErrInvalid)
			wantReason(t, "release", o.Release(ctx, name), fs.ErrInvalid)
		}
		if _, err := o.Create(ctx, 0); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("create of 0 bytes: %v", err)
		}
		if _, err := o.CreateList(ctx, []any{struct{}{}}); err == nil {
			t.Error("a list of a struct was made")
		}
		if names, err := o.Segments(ctx); len(names) != 0 || err != nil {
			t.Errorf("segments: %q, %v", names, err)
		}

		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		_, create := o.Create(cancelled, 1)
		_, createList := o.CreateList(cancelled, nil)
		_, segments := o.Segments(cancelled)
		for what, err := range map[string]error{
			"create": create, "create list": createList, "segments": segments,
			"track": o.Track(cancelled, "x"), "release": o.Release(cancelled, "x"),
		} {
			if what == "track" && errors.Is(err, fs.ErrNotExist) {
				continue // reported before ctx was looked at
			}
			wantReason(t, what, err, context.Canceled)
		}
	})
}

func TestStartErrors(t *testing.T) {
	busy := startManager(t, "")
	for what, tc := range map[string]struct {
		address string
		key     []byte
		opts    []Option
		reason  error
	}{
		"address in use":  {busy.Address(), key, nil, syscall.EADDRINUSE},
		"no folder":       {filepath.Join(t.TempDir(), "no", "sock"), key, nil, fs.ErrNotExist},
		"bad address":     {"sock", key, nil, fs.ErrInvalid},
		"empty key":       {"", []byte{}, nil, fs.ErrInvalid},
		"no key":          {"", nil, nil, fs.ErrInvalid},
		"no connections":  {"", key, []Option{MaxConnections(0)}, fs.ErrInvalid},
		"no time":         {"", key, []Option{HandshakeTimeout(0)}, fs.ErrInvalid},
		"no time at all":  {"", key, []Option{RequestTimeout(-1)}, fs.ErrInvalid},
		"not our address": {"192.0.2.1:0", key, nil, syscall.EADDRNOTAVAIL},
	} {
		m, err := Start(tc.address, tc.key, tc.opts...)
		wantReason(t, what, err, tc.reason)
		if m != nil {
			t.Errorf("%s: there is a manager", what)
		}
	}
	if _, err := NewClient(busy.Address(), key).Segments(t.Context()); err != nil {
		t.Errorf("the first manager: %v", err)
	}
}

func TestSocketOfOwnFolder(t *testing.T) {
	m := startManager(t, "")
	dir := filepath.Dir(m.Address())
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("folder: %v, %v", info, err)
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestSocketMode(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o277} {
		socket := filepath.Join(t.TempDir(), "sock")
		old := syscall.Umask(umask)
		m := startManager(t, socket)
		syscall.Umask(old)
		if info, err := os.Stat(socket); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("umask %03o: %v, %v", umask, info, err)
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	}
}

// A manager that ends leaves the socket of its successor alone. A killed manager's
// socket is no obstacle.
func TestSocketOfSuccessor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "sock")
	first := startManager(t, socket)
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	second := startManager(t, socket)
	if _, err := Start(socket, key); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a third one: %v", err)
	}
	if err := first.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := testkit.Name(t)
	segment(t, name)
	if err := second.Track(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if names, err := NewClient(socket, key).Segments(t.Context()); err != nil || !slices.Equal(names, []string{name}) {
		t.Errorf("the second manager: %q, %v", names, err)
	}
}

func TestServe(t *testing.T) {
	testkit.NeedLinux(t)
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if m.Address() != "" || m.PythonAddress() != "None" {
		t.Errorf("address %q, %s", m.Address(), m.PythonAddress())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wantReason(t, "Serve without an authkey", m.Serve(refused, nil), fs.ErrInvalid)
	if _, err := refused.Accept(); !errors.Is(err, net.ErrClosed) || m.Address() != "" {
		t.Errorf("the listener of a refused Serve is open: %v, address %q", err, m.Address())
	}
	given := bytes.Clone(key)
	served := make(chan error, 1)
	go func() { served <- m.Serve(l, given) }()
	testkit.Eventually(t, "it serves", func() bool { return m.Address() == l.Addr().String() })
	if !strings.HasPrefix(m.PythonAddress(), "('127.0.0.1', ") {
		t.Errorf("address for Python %q", m.PythonAddress())
	}
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	clear(given) // the manager has its own copy
	wantReason(t, "a second Serve", m.Serve(second, key), fs.ErrInvalid)
	if _, err := second.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the second listener is open: %v", err)
	}
	if err := NewClient(m.Address(), key).Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	<-m.Done()
	wantReason(t, "Serve after shutdown", m.Serve(l, key), ErrShutdown)
	wantReason(t, "Track after shutdown", m.Track(t.Context(), "x"), ErrShutdown)
	_, create := m.Create(t.Context(), 1)
	_, createList := m.CreateList(t.Context(), nil)
	for op, err := range map[string]error{"create": create, "create list": createList} {
		if wantReason(t, op, err, ErrShutdown); !saysItFailed(err, op, "") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Errorf("a second shutdown: %v", err)
	}
}

func TestServeReturnsTheListenersError(t *testing.T) {
	testkit.NeedLinux(t)
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Shutdown(context.Background())
	l := &stuckListener{fail: errors.New("the network is gone")}
	wantReason(t, "Serve", m.Serve(l, key), l.fail)
}

// A stuckListener's Accept ends with an error, or does not even end when the listener
// is closed.
type stuckListener struct {
	net.Listener
	fail    error
	release chan struct{}
}

func (l *stuckListener) Accept() (net.Conn, error) {
	if l.fail == nil {
		<-l.release
		return nil, net.ErrClosed
	}
	return nil, l.fail
}
func (l *stuckListener) Addr() net.Addr { return &net.UnixAddr{Name: "stuck", Net: "unix"} }
func (l *stuckListener) Close() error   { return nil }

func TestShutdownWaitsNoLongerThanAsked(t *testing.T) {
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	name := testkit.Name(t)
	o := segment(t, name)
	if err := m.Track(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	l := &stuckListener{release: make(chan struct{})}
	go m.Serve(l, key)
	testkit.Eventually(t, "it serves", func() bool { return m.Address() != "" })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	wantReason(t, "shutdown", m.Shutdown(ctx), context.DeadlineExceeded)
	if o.links(t) != 0 {
		t.Error("the segment was not released")
	}
	close(l.release)
	<-m.Done()
}

func TestShutdownFromManySides(t *testing.T) {
	m := startManager(t, "")
	errs := make(chan error)
	for range 4 {
		go func() { errs <- m.Shutdown(context.Background()) }()
		go func() {
			// Either this shutdown is the first, or its connection is cut off.
			NewClient(m.Address(), key).Shutdown(context.Background())
			errs <- nil
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	<-m.Done()
}
