package manager

import "github.com/fsnotify/fsnotify"

// newWatcher returns a watcher that never reports a name: Windows has no folder of the
// names. A segment that appears under a tracked name is found by looking now and then.
func newWatcher() (*fsnotify.Watcher, error) { return fsnotify.NewWatcher() }
