//go:build linux || darwin || freebsd

package descriptor

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// wantDescriptors fails unless the test, with all its cleanups, closes what it opens. The
// testkit, which looks at the whole package, leaves epoll instances out.
func wantDescriptors(t *testing.T) {
	t.Helper()
	before := countDescriptors(t)
	t.Cleanup(func() {
		testkit.Eventually(t, "descriptors closed", func() bool { return countDescriptors(t) <= before })
	})
}

func countDescriptors(t testing.TB) int {
	t.Helper()
	return len(testkit.Must(os.ReadDir("/dev/fd"))(t))
}

// blockingPair returns the ends of a socket in blocking mode, as Python has them.
func blockingPair(t testing.TB) (a, b *os.File) {
	t.Helper()
	fds, err := socketPair()
	testkit.Check(t, err)
	a, b = os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// blockingPipe returns the ends of a pipe in blocking mode.
func blockingPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	testkit.Check(t, unix.Pipe(fds[:]))
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func wantBlocking(t testing.TB, f *os.File) {
	t.Helper()
	testkit.Check(t, control(f, func(fd int) error {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s has become non-blocking", f.Name())
		}
		return err
	}))
}

func open(t testing.TB, f *os.File) Stream {
	t.Helper()
	s, _, _, err := Open(f)
	testkit.Check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// endsOf returns, for each kind of stream, one to read and one to write, and the files
// that must stay as they are.
func endsOf(t *testing.T, kind string) (r, w Stream, files []*os.File) {
	t.Helper()
	switch kind {
	case "socket":
		a, b := blockingPair(t)
		return open(t, a), open(t, b), []*os.File{a, b}
	case "pipe":
		a, b := blockingPipe(t)
		return open(t, a), open(t, b), []*os.File{a, b}
	case "pipe that cannot be opened anew":
		a, b := blockingPipe(t)
		fd, _, err := duplicate(a)
		testkit.Check(t, err)
		r, err := newFile(fd, false, true, false)
		testkit.Check(t, err)
		t.Cleanup(func() { r.Close() })
		fd, _, err = duplicate(b)
		testkit.Check(t, err)
		w, err := newFile(fd, false, false, true)
		testkit.Check(t, err)
		t.Cleanup(func() { w.Close() })
		return r, w, []*os.File{a, b}
	case "pair":
		a, b, err := Pair()
		testkit.Check(t, err)
		t.Cleanup(func() { a.Close(); b.Close() })
		return a, open(t, b), []*os.File{b}
	}
	t.Fatal(kind)
	return nil, nil, nil
}

func forEachKind(t *testing.T, f func(t *testing.T, r, w Stream)) {
	for _, kind := range []string{"socket", "pipe", "pipe that cannot be opened anew", "pair"} {
		t.Run(kind, func(t *testing.T) {
			wantDescriptors(t)
			r, w, files := endsOf(t, kind)
			f(t, r, w)
			for _, file := range files {
				wantBlocking(t, file)
				file.Close()
			}
		})
	}
}

// A megabyte is more than any buffer holds: both sides have to wait.
func TestTransfer(t *testing.T) {
	forEachKind(t, func(t *testing.T, r, w Stream) {
		want := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
		wrote := make(chan error, 1)
		go func() {
			_, err := w.Write(want)
			wrote <- err
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v, equal %v", err, bytes.Equal(got, want))
		}
		testkit.Check(t, <-wrote)
	})
}

func TestDeadlines(t *testing.T) {
	forEachKind(t, func(t *testing.T, r, w Stream) {
		if ready, err := IsReady(r); ready || err != nil {
			t.Errorf("ready: %v, %v", ready, err)
		}
		b := make([]byte, 10)
		for range 2 {
			testkit.Check(t, r.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			if n, err := r.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read: %d, %v", n, err)
			}
		}
		// Another goroutine ends a read that waits.
		testkit.Check(t, r.SetReadDeadline(time.Time{}))
		time.AfterFunc(10*time.Millisecond, func() { r.SetReadDeadline(time.Unix(0, 1)) })
		if n, err := r.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %d, %v", n, err)
		}
		testkit.Check(t, r.SetReadDeadline(time.Time{}))

		n := 0
		for n == 0 { // on a busy machine the deadline may pass before the first byte
			testkit.Check(t, w.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
			var err error
			if n, err = w.Write(make([]byte, 1<<20)); n == 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("write: %d, %v", n, err)
			}
		}
		testkit.Check(t, w.SetWriteDeadline(time.Time{}))
		if ready, err := IsReady(r); !ready || err != nil {
			t.Errorf("ready: %v, %v", ready, err)
		}
		if got, err := io.CopyN(io.Discard, r, int64(n)); got != int64(n) || err != nil {
			t.Errorf("%d of the %d bytes that were written: %v", got, n, err)
		}
	})
}

func TestCloseEndsWaits(t *testing.T) {
	forEachKind(t, func(t *testing.T, r, w Stream) {
		var waiting sync.WaitGroup
		for range 3 { // the goroutines also wait for each other
			waiting.Go(func() {
				if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, fs.ErrClosed) {
					t.Errorf("read: %d, %v", n, err)
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		r.Close()
		waiting.Wait()
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		for range 3 {
			waiting.Go(func() {
				if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, fs.ErrClosed) && !errors.Is(err, syscall.EPIPE) {
					t.Errorf("write: %v", err)
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		w.Close()
		waiting.Wait()
	})
}

func TestEnd(t *testing.T) {
	a, b := blockingPair(t)
	r := open(t, a)
	b.Write([]byte("last"))
	b.Close()
	if got, err := io.ReadAll(r); string(got) != "last" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := r.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
	pr, pw := blockingPipe(t)
	w := open(t, pw)
	pw.Close()
	pr.Close()
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
	// There is no reader any more when the end is opened.
	pr, pw = blockingPipe(t)
	pr.Close()
	if _, err := open(t, pw).Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %v", err)
	}
}

func TestDirections(t *testing.T) {
	r, w := blockingPipe(t)
	a, _ := blockingPair(t)
	for f, want := range map[*os.File][2]bool{r: {true, false}, w: {false, true}, a: {true, true}} {
		s, readable, writable, err := Open(f)
		testkit.Check(t, err)
		s.Close()
		if got := [2]bool{readable, writable}; got != want {
			t.Errorf("%s: %v", f.Name(), got)
		}
	}
}

func TestOtherKinds(t *testing.T) {
	wantDescriptors(t)
	file := testkit.Must(os.CreateTemp(t.TempDir(), ""))(t)
	defer file.Close()
	null := testkit.Must(os.Open(os.DevNull))(t)
	defer null.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	testkit.Check(t, err)
	datagrams := os.NewFile(uintptr(fds[0]), "datagrams")
	defer datagrams.Close()
	unix.Close(fds[1])
	for _, f := range []*os.File{file, null, datagrams} {
		if _, _, _, err := Open(f); err != errKind {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	file.Close()
	if _, _, _, err := Open(file); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// A descriptor travels over a socket, and the open file with its position and flags.
func TestPass(t *testing.T) {
	wantDescriptors(t)
	a, b := blockingPair(t)
	connOf := func(f *os.File) *net.UnixConn {
		conn := testkit.Must(net.FileConn(f))(t)
		t.Cleanup(func() { conn.Close() })
		return conn.(*net.UnixConn)
	}
	sender, receiver := connOf(a), connOf(b)
	r, w := blockingPipe(t)
	testkit.Check(t, Send(sender, w))
	w.Close()
	got, err := Receive(receiver)
	testkit.Check(t, err)
	got.Write([]byte("through"))
	got.Close()
	if text, err := io.ReadAll(r); string(text) != "through" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	// None, or two, are refused, and nothing stays open.
	sender.Write([]byte{1})
	if _, err := Receive(receiver); err != errNoDescriptor {
		t.Errorf("none: %v", err)
	}
	testkit.Check(t, control(r, func(fd int) error {
		_, _, err := sender.WriteMsgUnix([]byte{2}, unix.UnixRights(fd, fd), nil)
		return err
	}))
	if _, err := Receive(receiver); err != errNoDescriptor {
		t.Errorf("two: %v", err)
	}
	sender.Close()
	a.Close()
	if _, err := Receive(receiver); err != errNoDescriptor && !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

func TestDetach(t *testing.T) {
	wantDescriptors(t)
	ours, theirs, err := Pair()
	testkit.Check(t, err)
	defer theirs.Close()
	f, err := Detach(ours)
	testkit.Check(t, err)
	ours.Close()
	wantBlocking(t, f)
	theirs.Write([]byte("x"))
	theirs.Close()
	if got, err := io.ReadAll(f); string(got) != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	f.Close()
}
