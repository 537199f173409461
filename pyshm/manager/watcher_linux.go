//go:build !pyshm_posix

package manager

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/fsnotify/fsnotify"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// newWatcher returns a watcher of all names.
func newWatcher() (*fsnotify.Watcher, error) {
	if err := shmfile.CheckDir(); err != nil {
		return nil, err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, explainWatcher(err)
	}
	if err := watcher.Add(shmfile.Dir); err != nil {
		return nil, errors.Join(explainWatcher(err), watcher.Close())
	}
	return watcher, nil
}

// explainWatcher adds the limit that was reached to an error of inotify(7). Without
// it the error misleads: its errno is also the errno of too many files or a full disk.
func explainWatcher(err error) error {
	limit := ""
	switch {
	case errors.Is(err, syscall.EMFILE):
		limit = "ulimit -n allows no more descriptors, or fs.inotify.max_user_instances no more watchers of this user"
	case errors.Is(err, syscall.ENOSPC):
		limit = "fs.inotify.max_user_watches allows this user to watch no more folders"
	default:
		return err
	}
	return fmt.Errorf("watching %s: %w (%s)", shmfile.Dir, err, limit)
}
