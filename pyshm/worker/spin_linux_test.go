package worker

import (
	"io/fs"
	"math"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestWatcher: a watcher that has watched in vain watches more and more seldom, and more and
// more often again when it succeeds.
func TestWatcher(t *testing.T) {
	var w watcher
	inTime, watched := false, 0
	look := func() (bool, error) { watched++; return inTime, nil }
	runs := func() bool { return true }
	attempts := func(calls int) (at []int) {
		for n := range calls {
			watched = 0
			seen, err := w.watch(time.Nanosecond, look, runs)
			check(t, err)
			wantEqual(t, "seen", seen, inTime && watched > 0)
			if watched > 0 {
				at = append(at, n)
			}
		}
		return at
	}
	wantEqual(t, "attempts in vain", attempts(250), []int{0, 2, 6, 14, 30, 62, 126, 190})
	inTime = true
	wantEqual(t, "attempts that succeed", attempts(75), []int{4, 36, 52, 60, 64, 66, 67, 68, 69, 70, 71, 72, 73, 74})
	for _, limit := range []time.Duration{0, -1} {
		watched = 0
		must(w.watch(limit, look, runs))(t)
		wantEqual(t, "looks without a limit", watched, 0)
	}
	_, err := w.watch(time.Hour, func() (bool, error) { return false, fs.ErrClosed }, runs)
	wantReason(t, "a look that fails", err, fs.ErrClosed)
}

// TestWatcherRests: a watcher rests if the other process does not run, and rests longer if
// that happens again soon.
func TestWatcherRests(t *testing.T) {
	var w watcher
	for _, want := range []int{7, 63, 63} {
		w.saw(false, false)
		wantEqual(t, "calls that sleep", w.skip, want)
	}
	w.skip = 0
	wantEqual(t, "wants to watch in its rest", w.wants(), false)
	w.until = time.Now().Add(-time.Second)
	wantEqual(t, "wants to watch after its rest", w.wants(), true)

	now := time.Now()
	for _, want := range []time.Duration{50, 100, 200, 400, 800, 1000, 1000} {
		w.rest(now)
		wantEqual(t, "rest", w.until.Sub(now), want*time.Millisecond)
		now = w.until.Add(w.pause)
	}
	w.rest(w.until.Add(11 * time.Second))
	wantEqual(t, "rest after a long time", w.pause, firstRest)
}

// TestSpin: a worker knows for how long it may stay awake, and does so more and more seldom
// while no call comes in this time.
func TestSpin(t *testing.T) { // not beside others: their calls count, too
	needArena(t)
	py := testkit.Python(t)
	_, err := Start(t.Context(), script(py, "worker.py"), Options{Spin: mostSpin + 1})
	wantReason(t, "a spin of more than a millisecond", err, fs.ErrInvalid)
	for _, limit := range []time.Duration{time.Nanosecond, -1} {
		p := startPool(t, py, Options{Workers: 1, Spin: limit})
		var got []pickle.Tuple
		for range 3 {
			got = append(got, call(t, p, "watching").(pickle.Tuple))
			switches(t, p) // it sleeps
		}
		want := slices.Repeat([]pickle.Tuple{{int64(0), int64(0), int64(0)}}, 3)
		if limit > 0 && processors() > 1 {
			misses := got[1][1].(int64) // 1, or 3 if this process has not run meanwhile
			skip := int64(1)<<misses - 1
			want = []pickle.Tuple{{int64(1), int64(0), int64(0)}, {int64(1), misses, skip}, {int64(1), misses, skip - 1}}
			wantEqual(t, "has missed a call", misses > 0, true)
		}
		wantEqual(t, "limit, misses and waits asleep", got, want)
	}
}

// TestGroupLimit: the limit of a container, or of a group above, counts.
func TestGroupLimit(t *testing.T) {
	limit := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, test := range []struct {
		want  float64
		files fstest.MapFS
	}{
		{math.Inf(1), nil},
		{math.Inf(1), fstest.MapFS{"proc/self/cgroup": limit("1:cpu:/a\n0::/a\n"), "sys/fs/cgroup/a/cpu.max": limit("max 100000\n")}},
		{1.5, fstest.MapFS{
			"proc/self/cgroup":          limit("0::/a/b\n"),
			"sys/fs/cgroup/a/b/cpu.max": limit("300000 100000\n"),
			"sys/fs/cgroup/a/cpu.max":   limit("150000 100000\n"),
		}},
		{0.5, fstest.MapFS{"proc/self/cgroup": limit("0::/docker/b\n"), "sys/fs/cgroup/cpu.max": limit("50000 100000\n")}},
		{4, fstest.MapFS{"proc/self/cgroup": limit("0::/\n"), "sys/fs/cgroup/cpu.max": limit("400000 100000")}},
	} {
		wantEqual(t, "limit", groupLimit(test.files), test.want)
	}
}

// TestSpinsTogether: calls at the same time need two processors each to stay awake.
func TestSpinsTogether(t *testing.T) {
	s := spin{time.Second, 4}
	for n, want := range []time.Duration{time.Second, time.Second, time.Second, 0} {
		wantEqual(t, "limit", s.among(int64(n)), want)
	}
	wantEqual(t, "without", spin{-1, 4}.among(1), time.Duration(0))
}
