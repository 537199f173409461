package connection

import (
	"os"

	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
)

// Pipe returns the two ends of a new connection, like Python's multiprocessing.Pipe: a
// Conn for this process, and a file for a child process. It is for Linux, macOS and FreeBSD.
//
// The first file of exec.Cmd.ExtraFiles is descriptor 3 in the child, where Python makes
// a connection of it by multiprocessing.connection.Connection(3), and Go by [FromFile].
// Once the child has started, this process has to close the file: as long as it is open,
// Recv does not return io.EOF when the child ends.
func Pipe() (*Conn, *os.File, error) {
	s, f, err := descriptor.Pair()
	if err != nil {
		return nil, nil, wrap("pipe", "", err)
	}
	return newConn(s, "", true, true), f, nil
}

// FromFile makes a connection of an end of a pipe or of a stream socket, for example of
// one that a parent process in Python has passed on by subprocess's pass_fds:
//
//	conn, err := connection.FromFile(os.NewFile(uintptr(fd), "pipe"))
//
// The Conn takes the file over: it is closed, and the Conn has descriptors of its own.
// Only if FromFile fails the file stays open. The flags of the open file, which the other
// process may use as well, are left as they are: O_NONBLOCK, which os and net would set,
// would make Python's own recv fail.
//
// Of a pipe of one direction only Send or only Recv works; the other fails with
// [fs.ErrInvalid]. FromFile is for Linux, macOS and FreeBSD.
func FromFile(f *os.File) (*Conn, error) {
	s, readable, writable, err := descriptor.Open(f)
	if err != nil {
		return nil, wrap("from file", "", err)
	}
	f.Close()
	return newConn(s, "", readable, writable), nil
}
