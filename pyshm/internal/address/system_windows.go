package address

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// checkUnix returns the error for an address of a unix socket: Python has none on Windows.
func checkUnix() error { return errNoUnix }

var errNoUnix = fmt.Errorf("%w: Python has no unix sockets on Windows: use host:port", errors.ErrUnsupported)

func isRefused(err error) bool { return errors.Is(err, windows.WSAECONNREFUSED) }
