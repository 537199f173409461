//go:build !linux && !darwin && !freebsd

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
