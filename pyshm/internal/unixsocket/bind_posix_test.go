//go:build darwin || freebsd || pyshm_posix

package unixsocket

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// No client gets in before the mode of the socket is restricted, whatever the umask.
func TestNeverOpenToOthers(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := pathFor(t)
	for range 200 {
		let := make(chan fs.FileMode, 1)
		go func() {
			for {
				conn, err := net.Dial("unix", path)
				if err != nil {
					continue
				}
				conn.Close()
				info, err := os.Lstat(path)
				if err != nil {
					t.Error(err)
					let <- 0
					return
				}
				let <- info.Mode()
				return
			}
		}()
		l := listenAt(t, path)
		if mode := <-let; mode != fs.ModeSocket|ownerMode {
			t.Fatalf("%v", mode)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A server that refuses clients for a while, because its queue of clients is full, is not
// dead. A socket that is bound and does not listen yet refuses in the same way.
func TestRefusingServerIsNotDead(t *testing.T) {
	path := pathFor(t)
	fd, err := newSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	listening := make(chan error, 1)
	go func() {
		time.Sleep(3 * bindPause)
		listening <- syscall.Listen(fd, 1)
	}()
	if _, err := Listen(path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v", err)
	}
	if err := <-listening; err != nil {
		t.Fatal(err)
	}
}
