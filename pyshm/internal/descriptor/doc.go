// Package descriptor reads and writes pipes and sockets that other processes may use,
// too, and passes them on.
//
// O_NONBLOCK belongs to the open file, not to a descriptor of it or to a process. Packages
// net and os need it on what they wait for. Set on an end that Python also uses, it makes
// Python's own reads and writes fail with BlockingIOError. The streams of [Open] wait
// without it.
package descriptor

import (
	"io"
	"syscall"
	"time"
)

// A Stream is an end of a pipe or a socket. A goroutine that waits for it needs no
// thread. Reads and writes end with os.ErrDeadlineExceeded after a deadline.
type Stream interface {
	io.ReadWriteCloser
	syscall.Conn
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}
