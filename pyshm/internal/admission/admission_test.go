//go:build unix

package admission

import (
	"io"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestErrorsOfAccept(t *testing.T) {
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED,
		syscall.EPERM, syscall.EPROTO, syscall.ENETDOWN, syscall.EHOSTUNREACH,
	} {
		if !isTemporary(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)}) {
			t.Errorf("%v ends the server", errno)
		}
	}
	for _, err := range []error{nil, net.ErrClosed, io.EOF, syscall.EINVAL, syscall.EBADF, syscall.ENOTSOCK} {
		if isTemporary(err) {
			t.Errorf("%v is waited for", err)
		}
	}
}

// A guest that was sent away in the last moment of its handshake is not welcome.
func TestSentAwayIsNotWelcome(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := New(1, slog.New(slog.DiscardHandler))
	var guests atomic.Int32
	welcome := make(chan bool, 2)
	served := make(chan error, 1)
	go func() {
		served <- d.Serve(l, func(g *Guest) {
			defer g.Leave()
			defer g.Conn.Close()
			if guests.Add(1) == 1 {
				io.Copy(io.Discard, g.Conn) // until it makes room for the other one
			}
			welcome <- g.Welcome()
		})
	}()
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if <-welcome {
		t.Error("the first one is welcome")
	}
	if !<-welcome {
		t.Error("the second one is not welcome")
	}
	d.Close()
	l.Close()
	d.Wait()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
