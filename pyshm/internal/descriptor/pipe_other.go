//go:build !linux

package descriptor

import (
	"errors"
	"os"
)

// A Pipe is both ends of a pipe. There are none on this system: only Linux opens the pipe of
// another process anew.
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
