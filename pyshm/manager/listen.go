package manager

import (
	"errors"
	"net"
	"os"
	"path/filepath"

	"github.com/pyshm-go/pyshm/pyshm/internal/unixsocket"
)

// listen listens at an address. With an empty one it makes a socket in a new
// folder, which it returns: nobody else can reach into it, and the caller has
// to remove it.
func listen(addr string) (l net.Listener, dir string, err error) {
	if addr == "" {
		if dir, err = os.MkdirTemp("", "pyshm-"); err != nil {
			return nil, "", err
		}
		addr = filepath.Join(dir, "manager")
	}
	l, err = listenAt(addr)
	if err != nil && dir != "" {
		err = errors.Join(err, os.Remove(dir))
	}
	return l, dir, err
}

func listenAt(addr string) (net.Listener, error) {
	a, err := parseAddress(addr)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" && a.name[0] != '@' {
		return unixsocket.Listen(a.name)
	}
	return net.Listen(a.network, a.name)
}
