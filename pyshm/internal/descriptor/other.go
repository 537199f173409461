//go:build !linux

package descriptor

import (
	"errors"
	"net"
	"os"
)

// Open returns errors.ErrUnsupported.
func Open(*os.File) (s Stream, readable, writable bool, err error) {
	return nil, false, false, errors.ErrUnsupported
}

// Pair returns errors.ErrUnsupported.
func Pair() (Stream, *os.File, error) { return nil, nil, errors.ErrUnsupported }

// Detach returns errors.ErrUnsupported.
func Detach(Stream) (*os.File, error) { return nil, errors.ErrUnsupported }

// Send returns errors.ErrUnsupported.
func Send(*net.UnixConn, *os.File) error { return errors.ErrUnsupported }

// Receive returns errors.ErrUnsupported.
func Receive(*net.UnixConn) (*os.File, error) { return nil, errors.ErrUnsupported }

// A Pipe is both ends of a pipe. There are none on this system.
type Pipe struct{ R, W *os.File }

// ErrNotPipe is the reason when two files are not the ends of one pipe.
var ErrNotPipe = errors.New("they are not the ends of one pipe")

// Locate returns errors.ErrUnsupported.
func Locate(pid, fd int) (*os.File, error) { return nil, errors.ErrUnsupported }

// OpenPipe returns errors.ErrUnsupported.
func OpenPipe(reader, writer *os.File) (*Pipe, uint64, error) {
	return nil, 0, errors.ErrUnsupported
}

// CloseInherited returns errors.ErrUnsupported.
func CloseInherited(int) error { return errors.ErrUnsupported }

// A TryWriter writes to a pipe.
type TryWriter struct{ *Pipe }

// The methods are never called, because there is no Pipe.

func (TryWriter) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }
func (*Pipe) Pending() (int, error)         { return 0, errors.ErrUnsupported }
func (*Pipe) HasRoom() (bool, error)        { return false, errors.ErrUnsupported }
func (*Pipe) AwaitRoom() error              { return errors.ErrUnsupported }
func (*Pipe) Peek() ([]byte, error)         { return nil, errors.ErrUnsupported }
func (*Pipe) TryLock() (bool, error)        { return false, errors.ErrUnsupported }
func (*Pipe) Unlock()                       {}
