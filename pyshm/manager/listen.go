package manager

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
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
	var config net.ListenConfig
	if a.network == "unix" {
		config.Control = ownerOnly
	}
	l, err := config.Listen(context.Background(), a.network, a.name)
	if err != nil {
		return nil, err
	}
	if a.network == "unix" && a.name[0] != '@' {
		// The umask may have taken away what the owner needs.
		if err := os.Chmod(a.name, 0o600); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}
