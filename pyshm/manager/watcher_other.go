//go:build !linux || pyshm_posix

package manager

import (
	"errors"
	"runtime"

	"github.com/fsnotify/fsnotify"
)

// newWatcher returns a watcher that never reports a name: only Linux has a folder of the
// names. The keeper looks at them now and then.
func newWatcher() (*fsnotify.Watcher, error) {
	switch runtime.GOOS {
	case "windows", "darwin", "freebsd", "linux":
		return fsnotify.NewWatcher()
	}
	return nil, errors.ErrUnsupported
}
