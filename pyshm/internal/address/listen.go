package address

import (
	"errors"
	"net"
	"os"
	"path/filepath"

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
	return net.Listen(a.Network, a.Name)
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
