package address

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// A full server is named as the reason, wherever in the attempts to connect the deadline
// comes.
func TestDeadlineAtFullServer(t *testing.T) {
	path := t.TempDir() + "/sock"
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer os.NewFile(uintptr(fd), "listener").Close()
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		var conn net.Conn
		if conn, err = net.Dial("unix", path); err == nil {
			defer conn.Close()
		}
	}
	full := errFull(context.DeadlineExceeded).Error()
	for i := range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond+time.Duration(i)*10*time.Microsecond)
		_, err := Dial(ctx, Address{"unix", path})
		cancel()
		// Only the first attempt can be too late to find the server full.
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != full && err != context.DeadlineExceeded {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
}
