package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/fsnotify/fsnotify"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// rescanInterval is how often a manager's keeper looks at all names, in case the
// system has not reported a change. Only Linux reports any.
const rescanInterval = 2 * time.Second

// A keeper tracks names, and holds on to the segments behind them: it gives each
// segment a second, hidden name, and restores either of the two names from the other
// when it vanishes. An open descriptor would not do, because a segment that has lost
// its last name can never have one again.
//
// On Windows the keeper has a handle to each segment, which keeps the name, too. On macOS and
// FreeBSD nothing keeps or restores a name. The keeper has the segment open there, and logs
// that a name is gone.
type keeper struct {
	log     *slog.Logger
	max     int // how many names may be tracked
	watcher *fsnotify.Watcher
	watched sync.WaitGroup

	mu     sync.Mutex
	closed bool
	names  []string // in the order of tracking; a name that was tracked twice is in it twice

	// Each held segment is in it under its name and under its hidden name. A tracked
	// name has nil in it if its segment could not be held, because there is none,
	// or it belongs to another user, or another keeper holds it.
	holds map[string]*hold
}

func newKeeper(log *slog.Logger, maxNames int, rescanInterval time.Duration) (*keeper, error) {
	watcher, err := newWatcher()
	if err != nil {
		return nil, err
	}
	k := &keeper{log: log, max: maxNames, watcher: watcher, holds: map[string]*hold{}}
	k.watched.Go(func() { k.watch(rescanInterval) })
	return k, nil
}

// watch restores names until the keeper is closed.
func (k *keeper) watch(interval time.Duration) {
	rescan := time.NewTicker(interval)
	defer rescan.Stop()
	for {
		select {
		case event, ok := <-k.watcher.Events:
			if !ok {
				return
			}
			if event.Has(fsnotify.Remove | fsnotify.Rename | fsnotify.Create) {
				k.restoreNamed(filepath.Base(event.Name))
			}
		case err, ok := <-k.watcher.Errors:
			if !ok {
				return
			}
			k.log.Warn("watch interrupted, looking at all names", "error", err)
			k.restoreAll()
		case <-rescan.C:
			k.restoreAll()
		}
	}
}

// track adds a name. If must is true, it fails if the segment cannot be held. If must
// is false, it tracks the name, as in CPython, even if the segment is missing, belongs
// to another user or is held by another keeper, and holds it as soon as possible.
func (k *keeper) track(name string, must bool) error {
	file, err := shmfile.FileName(name)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(file, shmfile.HiddenPrefix):
		return invalid("the name is the hidden name of a manager")
	case !utf8.ValidString(file):
		return invalid("the name is not UTF-8, and could not be listed")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return ErrShutdown
	case len(k.names) >= k.max:
		return invalid("%d names are tracked already, which is the limit", k.max)
	}
	if err := k.hold(file); err != nil {
		tolerable := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrOwned)
		if must || !tolerable {
			return err
		}
		if _, tracked := k.holds[file]; !tracked { // if it is tracked, a hold stays
			k.holds[file] = nil
		}
		k.log.Warn("tracked, but not kept here", "segment", file, "error", err)
	}
	k.names = append(k.names, file)
	return nil
}

// An owner is the segment that a name belongs to.
type owner int

const (
	unowned owner = iota // the name is missing
	ours                 // the segment of the hold
	another              // another segment
)

// hold takes hold of the segment that a name belongs to now. If the name belonged to
// a held segment before, that segment is dropped, but only if the new one can be held.
func (k *keeper) hold(name string) error {
	if old := k.holds[name]; old != nil {
		switch whose, err := old.owner(name); {
		case err != nil:
			return err
		case whose == ours:
			return nil
		case whose == unowned:
			k.restore(old) // the name has vanished just now
			if k.holds[name] == old {
				return nil
			}
		}
	}
	h, err := newHold(name)
	if err != nil {
		return err
	}
	if old := k.holds[name]; old != nil {
		k.log.Warn("segment dropped: its name was tracked for another segment", "segment", name)
		k.drop(old)
	}
	k.holds[name], k.holds[h.hidden] = h, h
	return nil
}

// drop lets go of a segment.
func (k *keeper) drop(h *hold) {
	k.clear(h.name)
	delete(k.holds, h.hidden)
	if err := h.drop(); err != nil {
		k.log.Warn("hidden name left behind", "segment", h.name, "hidden", h.hidden, "error", err)
	}
}

// clear notes that nothing is held under a name. A still tracked name stays in holds
// with nil, so that the next segment to appear under it is held.
func (k *keeper) clear(name string) {
	if slices.Contains(k.names, name) {
		k.holds[name] = nil
	} else {
		delete(k.holds, name)
	}
}

// release removes a name from the tracked names, the first if there are several, as
// CPython does, and unlinks the segment. It fails if there is no segment to unlink.
func (k *keeper) release(name string) error { return k.end(name, k.settleReleased) }

// untrack removes a name from the tracked names, and leaves the segment.
func (k *keeper) untrack(name string) error { return k.end(name, k.settleUntracked) }

// end removes a name from the tracked names, and calls settle for its segment.
func (k *keeper) end(name string, settle func(file string) error) error {
	file, err := shmfile.FileName(name)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrShutdown
	}
	i := slices.Index(k.names, file)
	if i < 0 {
		return ErrNotTracked
	}
	k.names = slices.Delete(k.names, i, i+1)
	return settle(file)
}

// settleUntracked drops the segment that was tracked under a name, unless the name is
// still tracked once more. A name that has vanished just now is restored first.
func (k *keeper) settleUntracked(name string) error {
	if slices.Contains(k.names, name) {
		return nil
	}
	if h := k.holds[name]; h != nil {
		k.restore(h)
	}
	if h := k.holds[name]; h != nil { // not lost
		k.drop(h)
	}
	k.clear(name)
	return nil
}

// settleReleased unlinks and drops the segment tracked under a name.
func (k *keeper) settleReleased(name string) error {
	h := k.holds[name]
	if h == nil {
		k.clear(name)
		if isClaimed(name) {
			return ErrOwned // another keeper would restore it
		}
		return shmfile.Unlink(name)
	}
	defer k.drop(h)
	if whose, err := h.owner(name); err != nil || whose != ours {
		return err // if nil, the segment has only its hidden name just now
	}
	if err := shmfile.Unlink(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// segments returns the tracked names.
func (k *keeper) segments() ([]string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, ErrShutdown
	}
	return slices.Clone(k.names), nil
}

// close releases all segments. It does not fail because of segments that have
// vanished or that another keeper holds.
func (k *keeper) close() error {
	k.mu.Lock()
	var errs []error
	names := k.names
	k.names = nil
	for _, name := range names {
		err := k.settleReleased(name)
		switch {
		case errors.Is(err, ErrOwned):
			k.log.Warn("segment not removed", "segment", name, "error", err)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("release %q: %w", name, err))
		}
	}
	k.closed = true
	k.mu.Unlock()
	errs = append(errs, k.watcher.Close())
	k.watched.Wait()
	return errors.Join(errs...)
}

// restoreNamed looks at one name and restores it if it is missing. If the name is tracked
// but not held, restoreNamed holds the segment that has appeared under it.
func (k *keeper) restoreNamed(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, tracked := k.holds[name]
	switch {
	case h != nil:
		k.restore(h)
	case tracked && k.hold(name) == nil:
		k.log.Info("segment appeared", "segment", name)
	}
}

// restoreAll looks at all names, and restores the missing ones.
func (k *keeper) restoreAll() {
	k.mu.Lock()
	names := slices.Clone(k.names)
	k.mu.Unlock()
	for _, name := range names {
		k.restoreNamed(name)
	}
}

// restore restores the name that a segment has lost. It drops a segment that has lost its
// names for good, or that has another owner.
func (k *keeper) restore(h *hold) {
	switch news, err := h.restore(); {
	case errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist):
		// The names change at this moment. The next event leads to the outcome.
	case errors.Is(err, errLost):
		k.drop(h)
		k.log.Error("segment lost", "segment", h.name, "error", err)
	case errors.Is(err, ErrOwned):
		k.drop(h)
		k.log.Warn("segment dropped: another manager owns it", "segment", h.name)
	case err != nil:
		k.log.Error("name not restored", "segment", h.name, "error", err)
	case news != "":
		k.log.Info(news, "segment", h.name)
	}
}
