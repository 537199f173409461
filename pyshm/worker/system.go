package worker

import (
	"errors"
	"runtime"
)

type unsupported struct{ text string }

func (e *unsupported) Error() string { return e.text }
func (e *unsupported) Unwrap() error { return errors.ErrUnsupported }

// errSystem is the reason on systems without workers, and nil on others.
var errSystem = checkSystem(runtime.GOOS)

func checkSystem(system string) error {
	switch system {
	case "linux", "darwin", "freebsd":
		return nil
	}
	return &unsupported{"workers inherit one end of a socket, as on Linux, macOS and FreeBSD, and this is " + system}
}
