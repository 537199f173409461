//go:build unix

package admission

import (
	"io"
	"net"
	"os"
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
