//go:build linux || darwin || freebsd

package unixsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pathFor returns a path in a folder in which nothing may be left.
func pathFor(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pyshm-") // the folders of TempDir have long names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left in the folder: %v, %v", left, err)
		}
		os.RemoveAll(dir)
	})
	return filepath.Join(dir, "socket")
}

func listenAt(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// leaveDead leaves a socket at which no process listens.
func leaveDead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// wantServed fails unless a client at the path reaches the listener.
func wantServed(t *testing.T, path string, l net.Listener) {
	t.Helper()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Errorf("the listener is not reached: %v", err)
		return
	}
	defer client.Close()
	l.(*listener).SetDeadline(time.Now().Add(10 * time.Second))
	conn, err := l.Accept()
	if err != nil {
		t.Errorf("another listener is reached: %v", err)
		return
	}
	conn.Close()
}

func wantMode(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
		t.Errorf("%v, %v; want %v", info, err, mode)
	}
}

func TestListen(t *testing.T) {
	path := pathFor(t)
	leaveDead(t, path)
	l := listenAt(t, path)
	wantServed(t, path, l)
	wantMode(t, path, fs.ModeSocket|ownerMode)
	if l.Addr().String() != path {
		t.Errorf("address %q", l.Addr())
	}
	if _, err := Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := net.Dial("unix", path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenErrors(t *testing.T) {
	path := pathFor(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("at a file: %v", err)
	}
	if content, err := os.ReadFile(path); string(content) != "precious" {
		t.Errorf("the file is %q, %v", content, err)
	}
	os.Remove(path)
	if err := os.Symlink("nowhere", path); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("at a link: %v", err)
	}
	os.Remove(path)
	if _, err := Listen(filepath.Join(path, "no", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
}

// A closed listener leaves the socket of its successor alone, even if both have the same
// number: ext4 uses a number again at once.
func TestCloseLeavesTheSuccessor(t *testing.T) {
	path := pathFor(t)
	first := listenAt(t, path)
	for range 5 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		second := listenAt(t, path)
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		wantServed(t, path, second)
		first = second
	}
}

// Of several servers that start at the same time over a dead socket, exactly one serves.
func TestOneOfManyServes(t *testing.T) {
	defer func(n int) { looks = n }(looks)
	looks = 1
	const starting = 8
	path := pathFor(t)
	for round := range 30 {
		leaveDead(t, path)
		var mu sync.Mutex
		var serving []net.Listener
		var wg sync.WaitGroup
		for range starting {
			wg.Go(func() {
				l, err := Listen(path)
				switch {
				case err == nil:
					mu.Lock()
					serving = append(serving, l)
					mu.Unlock()
				case !errors.Is(err, syscall.EADDRINUSE):
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		if len(serving) != 1 {
			t.Fatalf("round %d: %d serve", round, len(serving))
		}
		wantServed(t, path, serving[0])
		if err := serving[0].Close(); err != nil {
			t.Error(err)
		}
	}
}

// While some servers start others end. A server that listens can be reached until it
// ends.
func TestStartsAndEnds(t *testing.T) {
	path := pathFor(t)
	var wg sync.WaitGroup
	var mu sync.Mutex // held by the goroutine that listens
	for range 6 {
		wg.Go(func() {
			for listened := 0; listened < 10; {
				l, err := Listen(path)
				if errors.Is(err, syscall.EADDRINUSE) {
					time.Sleep(100 * time.Microsecond)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				wantServed(t, path, l)
				mu.Unlock()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
				listened++
			}
		})
	}
	wg.Wait()
}

func TestModeUnderAnyUmask(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o277, 0o777} {
		path := pathFor(t)
		old := syscall.Umask(umask)
		l, err := Listen(path)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		wantMode(t, path, fs.ModeSocket|ownerMode)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A file that another user puts in the place of the socket, after bind, keeps its mode.
func TestRestrictFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := os.WriteFile(victim, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, victim} {
		if _, err := restrict(path); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", path, err)
		}
	}
	wantMode(t, victim, 0o640)
}

// The folder may be removed, and the working directory may change.
func TestCloseFromElsewhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	l := listenAt(t, "./socket")
	t.Chdir("/")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	t.Chdir(dir)
	l = listenAt(t, "./socket")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A lock file that a killed process has left is used and removed. Listen waits for a
// lock file that a process holds.
func TestLock(t *testing.T) {
	path := pathFor(t)
	if err := os.WriteFile(lockName(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryLock(lockName(path)); err != syscall.EAGAIN {
		t.Errorf("a second lock: %v", err)
	}
	locked := make(chan error)
	go func() {
		unlock, err := lock(path)
		if err == nil {
			unlock()
		}
		locked <- err
	}()
	select {
	case err := <-locked:
		t.Fatalf("locked twice: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	unlock()
	if err := <-locked; err != nil {
		t.Error(err)
	}

	// Only one goroutine at a time has the lock, although each removes the file.
	var inside atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				unlock, err := lock(path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d have the lock", n)
				}
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
}
