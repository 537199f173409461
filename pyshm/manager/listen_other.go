//go:build !unix

package manager

import (
	"errors"
	"syscall"
)

// ownerOnly answers errors.ErrUnsupported.
func ownerOnly(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }
