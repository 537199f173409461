//go:build !linux

package unixsocket

import (
	"errors"
	"net"
)

// Listen returns errors.ErrUnsupported.
func Listen(string) (net.Listener, error) { return nil, errors.ErrUnsupported }
