// Package descriptor reads and writes pipes and sockets that other processes may use,
// too, and passes them on.
//
// The flag O_NONBLOCK belongs to the open file, and so to all descriptors and processes
// that share the file. Packages net and os need the flag on a file that they wait for.
// On an end that Python also uses, the flag makes Python's own reads and writes fail with
// BlockingIOError. The streams of [Open] wait without the flag.
package descriptor

import (
	"io"
	"syscall"
	"time"
)

// A Stream is an end of a pipe or a socket. A goroutine that waits for it needs no thread,
// except for a stream of [Open] on macOS and FreeBSD. Reads and writes end with os.ErrDeadlineExceeded after a deadline.
type Stream interface {
	io.ReadWriteCloser
	syscall.Conn
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}
