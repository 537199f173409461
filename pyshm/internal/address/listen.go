package address

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/unixsocket"
)

// Listen listens at an address. With an empty one it makes a socket in a new folder,
// which only this user can enter. Closing the listener removes that folder. Where Python
// has no unix sockets, Listen chooses a port of this machine instead.
func Listen(addr string) (net.Listener, error) {
	if addr != "" {
		return listen(addr)
	}
	if checkUnix() != nil {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	dir, err := os.MkdirTemp("", "pyshm-")
	if err != nil {
		return nil, err
	}
	l, err := listen(filepath.Join(dir, "socket"))
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &inFolder{l, dir}, nil
}

func listen(addr string) (net.Listener, error) {
	a, err := Parse(addr)
	if err != nil {
		return nil, err
	}
	if a.Network == "unix" && a.Name[0] != '@' {
		return unixsocket.Listen(a.Name)
	}
	return listenAgain(a.Network, a.Name)
}

// startPatience is more than a child takes from its start to its program, which closes its
// copies of this process's descriptors.
const startPatience = 500 * time.Millisecond

// listenAgain listens at an address that a listener of this process may just have left.
// Unlike a socket's path, it stays in use while any copy of the listener's descriptor is
// open. A process in the middle of its start has a copy.
func listenAgain(network, name string) (net.Listener, error) {
	for end := time.Now().Add(startPatience); ; time.Sleep(time.Millisecond) {
		l, err := net.Listen(network, name)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return l, err
		}
	}
}

// inFolder is a listener at a socket in a folder of its own.
type inFolder struct {
	net.Listener
	dir string
}

// Close removes the folder, too. It may be called again.
func (l *inFolder) Close() error {
	return errors.Join(l.Listener.Close(), os.RemoveAll(l.dir))
}
