//go:build !windows

package address

import (
	"errors"
	"syscall"
)

// checkUnix returns an error if Python has no unix sockets here.
func checkUnix() error { return nil }

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
