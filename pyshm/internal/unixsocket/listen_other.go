//go:build !linux && !darwin && !freebsd

package unixsocket

import (
	"errors"
	"net"
)

// Listen returns errors.ErrUnsupported: no lock protects paths on this system.
func Listen(string) (net.Listener, error) { return nil, errors.ErrUnsupported }
