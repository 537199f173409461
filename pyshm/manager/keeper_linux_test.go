//go:build !pyshm_posix

package manager

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

func hiddenName(k *keeper, name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.holds[name].hidden
}

func TestNameRestored(t *testing.T) {
	k, log := startKeeperScanning(t, never)
	name, o := tracked(t, k)
	for range 20 {
		unlink(t, name)
		testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	}
	if n := o.links(t); n != 2 {
		t.Errorf("%d names", n)
	}
	testkit.Eventually(t, "20 log entries", func() bool { return strings.Count(log.String(), `level=INFO msg="name restored"`) == 20 })
	release(t, k, name)
}

func TestRenamedAwayIsRestored(t *testing.T) {
	k, _ := startKeeperScanning(t, never)
	name, o := tracked(t, k)
	elsewhere := testkit.Name(t)
	if err := os.Rename(path(name), path(elsewhere)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	unlink(t, elsewhere)
}

func TestHiddenNameRestored(t *testing.T) {
	k, _ := startKeeperScanning(t, never)
	name, o := tracked(t, k)
	hidden := hiddenName(k, name)
	if !strings.HasPrefix(hidden, shmfile.HiddenPrefix) || !o.is(hidden) {
		t.Fatalf("hidden name %q", hidden)
	}
	unlink(t, hidden)
	testkit.Eventually(t, "the hidden name is back", func() bool { return o.is(hidden) })
}

func TestBothNamesLost(t *testing.T) {
	k, log := startKeeper(t)
	name, o := tracked(t, k)
	hidden := hiddenName(k, name)
	k.mu.Lock() // so that the keeper finds both gone
	unlink(t, name)
	unlink(t, hidden)
	k.mu.Unlock()
	testkit.Eventually(t, "log entry", func() bool { return strings.Contains(log.String(), `level=ERROR msg="segment lost`) })
	if n := o.links(t); n != 0 {
		t.Errorf("%d names", n)
	}
	// The name is still tracked: the next segment created under it is held.
	again := segment(t, name)
	testkit.Eventually(t, "held", func() bool { return again.links(t) == 2 })
	if err := k.release(name); err != nil {
		t.Error(err)
	}
}

func TestNameTakenByAnother(t *testing.T) {
	k, log := startKeeper(t)
	name, o := tracked(t, k)
	usurper := testkit.Name(t)
	other := segment(t, usurper)
	if err := os.Rename(path(usurper), path(name)); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "log entry", func() bool { return strings.Contains(log.String(), "taken by another") })
	k.restoreAll()
	k.restoreAll()
	if !other.is(name) || other.links(t) != 1 || o.links(t) != 1 {
		t.Errorf("the other has %d names, ours has %d", other.links(t), o.links(t))
	}
	if n := strings.Count(log.String(), "taken by another"); n != 1 {
		t.Errorf("%d log entries", n)
	}
	unlink(t, name) // the other segment's
	testkit.Eventually(t, "the name is ours again", func() bool { return o.is(name) })
}

func TestReleaseLeavesAnothersName(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	usurper := testkit.Name(t)
	other := segment(t, usurper)
	if err := os.Rename(path(usurper), path(name)); err != nil {
		t.Fatal(err)
	}
	release(t, k, name)
	if !other.is(name) || o.links(t) != 0 {
		t.Errorf("ours has %d names left", o.links(t))
	}
	unlink(t, name)
}

func TestTrackingAnotherUnderTheSameName(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	usurper := testkit.Name(t)
	other := segment(t, usurper)
	if err := os.Rename(path(usurper), path(name)); err != nil {
		t.Fatal(err)
	}
	track(t, k, name)
	if o.links(t) != 0 || other.links(t) != 2 {
		t.Errorf("the old one has %d names, the new one %d", o.links(t), other.links(t))
	}
	unlink(t, name)
	testkit.Eventually(t, "the new one's name is back", func() bool { return other.is(name) })
}

// A tracker removes a name and a client tracks it anew, before the keeper knows.
func TestTrackedAnewWhileMissing(t *testing.T) {
	k, log := startKeeper(t)
	name, o := tracked(t, k)
	k.mu.Lock()
	unlink(t, name)
	err := k.hold(name)
	k.mu.Unlock()
	if err != nil || !o.is(name) || o.links(t) != 2 {
		t.Errorf("held: %v, %d names", err, o.links(t))
	}
	track(t, k, name)
	unlink(t, name)
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	if strings.Contains(log.String(), "segment dropped") {
		t.Errorf("log:\n%s", log)
	}
}

// The segment is lost, but the next one made under the name is held again.
func TestTrackedAnewWhileLost(t *testing.T) {
	k, _ := startKeeper(t)
	name, _ := tracked(t, k)
	hidden := hiddenName(k, name)
	k.mu.Lock()
	unlink(t, name)
	unlink(t, hidden)
	err := k.hold(name)
	k.mu.Unlock()
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("held: %v", err)
	}
	again := segment(t, name)
	testkit.Eventually(t, "held", func() bool { return again.links(t) == 2 })
}

// A held segment is kept when another one cannot be held in its place, or when it is
// unknown whether there is another one.
func TestTrackingAnotherFails(t *testing.T) {
	k, log := startKeeper(t)
	name, o := tracked(t, k)
	special := testkit.Name(t)
	if err := syscall.Mkfifo(path(special), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path(special), path(name)); err != nil {
		t.Fatal(err)
	}
	if err := k.track(name, false); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a special file is tracked: %v", err)
	}
	unlink(t, name)
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })

	k.mu.Lock()
	unknowable := strings.Repeat("n", 256)
	k.holds[unknowable] = k.holds[name]
	err := k.hold(unknowable)
	delete(k.holds, unknowable)
	k.mu.Unlock()
	if !errors.Is(err, syscall.ENAMETOOLONG) || o.links(t) != 2 {
		t.Errorf("held: %v, %d names", err, o.links(t))
	}
	if strings.Contains(log.String(), "segment dropped") {
		t.Errorf("log:\n%s", log)
	}
}

func TestTrackedBeforeItExists(t *testing.T) {
	k, _ := startKeeper(t)
	name := testkit.Name(t)
	if err := k.track(name, true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("track of a missing segment that must be there: %v", err)
	}
	if err := k.track(name, false); err != nil {
		t.Fatal(err)
	}
	o := segment(t, name)
	testkit.Eventually(t, "held", func() bool { return o.links(t) == 2 })
	unlink(t, name)
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	release(t, k, name)

	if err := k.track(name, false); err != nil {
		t.Fatal(err)
	}
	if err := k.release(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("release of a missing segment: %v", err)
	}
	if names, err := k.segments(); len(names) != 0 || err != nil {
		t.Errorf("tracked: %q, %v", names, err)
	}
}

func TestLostEvents(t *testing.T) {
	t.Parallel()
	k, _ := startKeeper(t)
	if err := k.watcher.Remove(shmfile.Dir); err != nil {
		t.Fatal(err)
	}
	name, o := tracked(t, k)
	unlink(t, name)
	start := time.Now()
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	t.Logf("restored without an event after %v", time.Since(start).Round(time.Millisecond))
}

func TestOverflow(t *testing.T) {
	k, log := startKeeperScanning(t, time.Hour)
	name, o := tracked(t, k)
	time.Sleep(100 * time.Millisecond) // until the keeper has read the events that it caused itself
	k.mu.Lock()                        // it reads no events from now on
	noise := testkit.Name(t)
	for range maxQueuedEvents(t) {
		f, err := os.Create(path(noise))
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		unlink(t, noise)
	}
	unlink(t, name)
	start := time.Now()
	k.mu.Unlock()
	testkit.Eventually(t, "the name is back", func() bool { return o.is(name) })
	t.Logf("restored %v after the keeper could work again", time.Since(start).Round(time.Microsecond))
	testkit.Eventually(t, "overflow", func() bool { return strings.Contains(log.String(), fsnotify.ErrEventOverflow.Error()) })
}

// maxQueuedEvents returns how many events the system keeps for a reader.
func maxQueuedEvents(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReleaseRemovesBothNames(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	if err := k.release("/" + name); err != nil {
		t.Fatal(err)
	}
	if n := o.links(t); n != 0 {
		t.Errorf("%d names left", n)
	}
	if err := k.release(name); err != ErrNotTracked {
		t.Errorf("a second release: %v", err)
	}
}

func TestUntrackLeavesTheName(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	track(t, k, name)
	if err := k.untrack("/" + name); err != nil {
		t.Fatal(err)
	}
	if n := o.links(t); n != 2 {
		t.Errorf("%d names of what is still tracked", n)
	}
	k.mu.Lock()
	unlink(t, name) // the keeper has not noticed yet when the name is untracked
	k.names = nil
	err := k.settleUntracked(name)
	k.mu.Unlock()
	if err != nil || !o.is(name) || o.links(t) != 1 {
		t.Errorf("%d names left, %v", o.links(t), err)
	}
	if err := k.untrack(name); err != ErrNotTracked {
		t.Errorf("again: %v", err)
	}
	unlink(t, name)
	k.restoreAll()
	if n := o.links(t); n != 0 {
		t.Errorf("%d names after unlink", n)
	}
}

// As in CPython, a name tracked twice is listed twice, and gone at the first release.
func TestTrackedTwice(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	second, _ := tracked(t, k)
	track(t, k, "/"+name)
	if names, _ := k.segments(); !slices.Equal(names, []string{name, second, name}) {
		t.Errorf("tracked: %q", names)
	}
	release(t, k, name)
	if names, _ := k.segments(); !slices.Equal(names, []string{second, name}) || o.links(t) != 0 {
		t.Errorf("tracked: %q, %d names left", names, o.links(t))
	}
	if err := k.release(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the second release: %v", err)
	}
}

// A still listed name is held as soon as it has a segment again.
func TestTrackedTwiceAndMadeAnew(t *testing.T) {
	k, _ := startKeeper(t)
	held, _ := tracked(t, k)
	track(t, k, held)
	missing := testkit.Name(t)
	for range 2 {
		if err := k.track(missing, false); err != nil {
			t.Fatal(err)
		}
	}
	release(t, k, held)
	if err := k.release(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("release of a missing segment: %v", err)
	}
	for _, name := range []string{held, missing} {
		again := segment(t, name)
		testkit.Eventually(t, "held", func() bool { return again.links(t) == 2 })
		unlink(t, name)
		testkit.Eventually(t, "the name is back", func() bool { return again.is(name) })
	}
}

func TestClose(t *testing.T) {
	k, _ := startKeeper(t)
	_, held := tracked(t, k)
	gone, lost := tracked(t, k)
	if err := k.track(testkit.Name(t), false); err != nil {
		t.Fatal(err)
	}
	hidden := hiddenName(k, gone)
	if err := k.watcher.Remove(shmfile.Dir); err != nil {
		t.Fatal(err)
	}
	unlink(t, gone)
	unlink(t, hidden)
	if err := k.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if held.links(t) != 0 || lost.links(t) != 0 {
		t.Errorf("%d and %d names left", held.links(t), lost.links(t))
	}
	_, err := k.segments()
	for what, err := range map[string]error{
		"track": k.track(testkit.Name(t), false), "release": k.release("x"), "segments": err,
	} {
		if err != ErrShutdown {
			t.Errorf("%s after close: %v", what, err)
		}
	}
}

func TestNamesRefused(t *testing.T) {
	k, _ := startKeeper(t)
	fifo := testkit.Name(t)
	if err := syscall.Mkfifo(path(fifo), 0o600); err != nil {
		t.Fatal(err)
	}
	defer unlink(t, fifo)
	dir := testkit.Name(t)
	if err := os.Mkdir(path(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	defer unlink(t, dir)
	for _, name := range []string{
		"", "/", "//x", "a/b", "../passwd", ".", "..", "x\x00y", shmfile.HiddenPrefix + "x", "caf\xe9",
		strings.Repeat("n", 256), fifo,
	} {
		if err := k.track(name, false); err == nil {
			t.Errorf("%q is tracked", name)
		}
	}
	if err := k.track(dir, true); err == nil {
		t.Error("a folder is tracked")
	}
	if n := len(hiddenNamesOf(t, fifo)); n != 0 {
		t.Errorf("%d hidden names of what was refused", n)
	}
}

// hiddenNamesOf returns the hidden names of the segment with a name.
func hiddenNamesOf(t *testing.T, name string) []string {
	t.Helper()
	info, err := shmfile.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := shmfile.Names()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(other string) bool {
		o, err := shmfile.Lookup(other)
		return err != nil || o.ID != info.ID || !strings.HasPrefix(other, shmfile.HiddenPrefix)
	})
}

// The keeper could give another user's segment a hidden name, if its mode allows
// writing, but could never remove that name again.
func TestSegmentOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make segments of other users")
	}
	name := testkit.Name(t)
	o := segment(t, name)
	if err := os.Chmod(path(name), 0o666); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if _, err := newHold(name); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("held: %v", err)
		}
	})
	if n := o.links(t); n != 1 {
		t.Errorf("%d names", n)
	}

	// A segment that takes the name of a held one is tracked, but does not replace it.
	k, _ := startKeeper(t)
	taken, held := tracked(t, k)
	if err := os.Rename(path(name), path(taken)); err != nil {
		t.Fatal(err)
	}
	asNobody(t, func() {
		if err := k.track(taken, false); err != nil {
			t.Error(err)
		}
	})
	unlink(t, taken)
	testkit.Eventually(t, "the name is back", func() bool { return held.is(taken) })
}

// asNobody runs f as another user, on a thread that no other goroutine ever gets.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		const nobody = 65534
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0))
		if errno != 0 {
			done <- errno
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestMaxSegments(t *testing.T) {
	k, err := newKeeper((&testkit.Log{}).Logger(), 2, rescanInterval)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	name, _ := tracked(t, k)
	track(t, k, name)
	if err := k.track(name, false); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a third name: %v", err)
	}
	release(t, k, name)
	if err := k.track(name, false); err != nil {
		t.Errorf("a second name: %v", err)
	}
}

// A process that removes orphans must see that a tracked segment has a user.
func TestTrackedIsMapped(t *testing.T) {
	k, _ := startKeeper(t)
	name, _ := tracked(t, k)
	for s, err := range pyshm.Segments() {
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != name {
			continue
		}
		if pids, _ := s.Pids(); !slices.Contains(pids, os.Getpid()) {
			t.Errorf("mapped by %v", pids)
		}
		return
	}
	t.Error("not listed")
}

// TestTimeWithoutName measures how long a name is missing after an unlink.
func TestTimeWithoutName(t *testing.T) {
	k, _ := startKeeper(t)
	name, o := tracked(t, k)
	const rounds = 500
	missing := make([]time.Duration, rounds)
	for i := range missing {
		start := time.Now()
		unlink(t, name)
		for !o.is(name) {
			if time.Since(start) > 5*time.Second {
				t.Fatal("not restored")
			}
		}
		missing[i] = time.Since(start)
	}
	slices.Sort(missing)
	t.Logf("time without the name, %d unlinks: median %v, 99%% %v, longest %v",
		rounds, missing[rounds/2], missing[rounds*99/100], missing[rounds-1])
}
