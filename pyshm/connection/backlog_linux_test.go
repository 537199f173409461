package connection

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// fullServer listens with a queue of one client, as Python's Listener does, and lets it
// fill.
func fullServer(t *testing.T) (l *net.UnixListener) {
	t.Helper()
	fd := must(syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0))(t)
	socket := os.NewFile(uintptr(fd), "listener")
	defer socket.Close()
	path := filepath.Join(t.TempDir(), "sock")
	check(t, errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 1)))
	listener := must(net.FileListener(socket))(t)
	t.Cleanup(func() { listener.Close() })
	for {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return listener.(*net.UnixListener)
		}
		check(t, err)
		conn.Close()
	}
}

func TestFullBacklogIsWaitedFor(t *testing.T) {
	wantDescriptors(t)
	s := fullServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*moment)
	defer cancel()
	_, err := Dial(ctx, s.Addr().String(), nil)
	wantReason(t, "a full queue", err, context.DeadlineExceeded)
	if !strings.Contains(err.Error(), "queue of clients is full") {
		t.Errorf("no reason in %v", err)
	}
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			c, err := Dial(within(t, testkit.Patience), s.Addr().String(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	}
	time.Sleep(moment)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	clients.Wait()
	s.Close()
	<-done
}
