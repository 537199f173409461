//go:build unix

package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestTorn has one side set items at full speed while the other reads them, and judges
// every value read. Without a lock it must be a value that a reader can find between the
// stores of a Set (see pair). With a lock it must be a value that was written.
func TestTorn(t *testing.T) {
	seed := soak.Seed(t)
	duration := soak.Length(100*time.Millisecond, 20*time.Second)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		torn := tornTest{pairs: pairs(), seed: seed, duration: duration}
		for range min(soak.Length(1, 2), 2) {
			torn.peers = append(torn.peers, start(t, py, testkit.AttachHelper(t), compat.Timeout(duration+time.Minute)))
		}
		torn.list = createList(t, torn.peers[0], listOf(torn.pairs)...)
		for _, p := range torn.peers {
			torn.theirs = append(torn.theirs, must(p.AttachList(torn.list.Name()))(t))
			check(t, p.Exec(tornSource))
			check(t, p.Exec("pairs = "+python(torn.pairs)))
		}
		t.Run("PythonSets", torn.pythonSets)
		t.Run("GoSets", torn.goSets)
		t.Run("WithLock", torn.withLock)
		t.Run("PythonDies", torn.pythonDies)
	})
}

type tornTest struct {
	pairs    []pair
	seed     uint64
	duration time.Duration
	list     *pyshm.ShareableList
	peers    []*compat.Peer // one, in a full run two
	theirs   []*compat.List // the list in each
}

const tornSource = `
import time
from pyshm_attach import attach_lock

def rounds(seconds):
    """Yield each pair and its index again and again, until the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield from enumerate(pairs)

def set_all(sl, seconds):
    sets = 0
    for i, (a, b) in rounds(seconds):
        for _ in range(50):
            set_item(sl, i, a)
            set_item(sl, i, b)
        sets += 100
    return sets

def set_item(sl, i, value):
    try:
        sl[i] = value
    except (IndexError, struct.error):
        pass # another Python is just setting it: half a format, or none

def see(seen, sl, i):
    try:
        value = sl[i]
    except Exception as error:
        value = [type(error).__name__]
    seen[i, type(value).__name__, str(value)] = value

def read_all(sl, seconds):
    seen, reads = {}, 0
    for i, pair in rounds(seconds):
        for _ in range(50):
            see(seen, sl, i)
        reads += 50
    return reads, [(i, value) for (i, _, _), value in seen.items()]

def use_with_lock(sl, seconds, name):
    lock, seen, reads = attach_lock(name), {}, 0
    for i, pair in rounds(seconds):
        with lock:
            see(seen, sl, i)
            sl[i] = pair[reads % 2]
        reads += 1
    return reads, [(i, value) for (i, _, _), value in seen.items()]
`

// call calls a function of tornSource in each Python at once, and meanwhile f again
// and again.
func (torn *tornTest) call(t *testing.T, function, more string, f func(r *rand.Rand, tally *soak.Tally)) (results []any, tally *soak.Tally) {
	tally = new(soak.Tally)
	results = make([]any, len(torn.peers))
	errs := make([]error, len(torn.peers))
	var calls sync.WaitGroup
	for i, p := range torn.peers {
		calls.Go(func() {
			results[i], errs[i] = p.Eval(fmt.Sprintf("%s(%s, %g%s)", function, torn.theirs[i].Var(), torn.duration.Seconds(), more))
		})
	}
	done := make(chan struct{})
	go func() {
		calls.Wait()
		close(done)
	}()
	for r := soak.Rand(torn.seed, 0); ; f(r, tally) {
		select {
		case <-done:
			check(t, errors.Join(errs...))
			return results, tally
		default:
		}
	}
}

func (torn *tornTest) set(t *testing.T, i int, v any) {
	if err := torn.list.Set(i, v); err != nil {
		t.Errorf("Set(%d, %.30v): %v", i, v, err)
	}
}

// reset sets every item to the first of its pair.
func (torn *tornTest) reset(t *testing.T) {
	for i, p := range torn.pairs {
		torn.set(t, i, p.a)
	}
}

// pythonSets has Go read the items that Python sets.
func (torn *tornTest) pythonSets(t *testing.T) {
	torn.reset(t)
	results, tally := torn.call(t, "set_all", "", func(r *rand.Rand, tally *soak.Tally) {
		i := r.IntN(len(torn.pairs))
		counts := map[string]int{}
		for range 1000 {
			counts[torn.read(t, i)]++
		}
		for what, n := range counts {
			tally.Add(what, n)
		}
	})
	t.Logf("Python has set items %v times, Go has read %v", results, tally)
	if tally.Count("what was written") == 0 {
		t.Error("Go has read nothing that was written")
	}
}

// read reads an item and returns the kind of value that it finds.
func (torn *tornTest) read(t *testing.T, i int) string {
	p := torn.pairs[i]
	p.byByte = torn.peers[0].Interpreter().Implementation == "PyPy"
	v, err := torn.list.Get(i)
	switch {
	case errors.Is(err, format.ErrBusy):
		return "busy"
	case errors.Is(err, format.ErrCorrupt) && p.byByte:
		return "half a format"
	case errors.Is(err, format.ErrUTF8):
		if !p.goAllows("") { // neither is a str
			t.Errorf("%v: %v", p, err)
		}
		return "not UTF-8"
	case err != nil:
		t.Errorf("%v: %v", p, err)
		return "error"
	case p.either(v):
		return "what was written"
	case !p.goAllows(v):
		t.Errorf("%v: read %.1000s", p, format.Repr(v))
	}
	return "what is in between"
}

// pythonDies kills Pythons in the middle of setting items. They leave a value that a
// reader can find in between. The next Set mends it.
func (torn *tornTest) pythonDies(t *testing.T) {
	torn.reset(t)
	r := soak.Rand(torn.seed, 1)
	var tally soak.Tally
	for range soak.Length(2, 100) {
		worker := must(torn.peers[0].StartWorker("fork"))(t)
		theirs := must(worker.AttachList(torn.list.Name()))(t)
		check(t, worker.Exec(tornSource))
		check(t, worker.Exec("pairs = "+python(torn.pairs)))
		kill := time.AfterFunc(time.Duration(1000+r.IntN(5000))*time.Microsecond, func() {
			syscall.Kill(worker.Pid(), syscall.SIGKILL)
		})
		_, err := worker.Eval(fmt.Sprintf("set_all(%s, 60)", theirs.Var()))
		if exit, ok := errors.AsType[*compat.ExitError](err); !ok || exit.Code != -int(syscall.SIGKILL) {
			kill.Stop()
			t.Fatal(err)
		}
		tally.Add("kills", 1)
		for i, p := range torn.pairs {
			tally.Add(torn.read(t, i), 1)
			torn.set(t, i, p.b)
			if v, err := torn.list.Get(i); err != nil || !identical(v, p.b) {
				t.Errorf("%v: set to the second, it reads %.1000s, %v", p, format.Repr(v), err)
			}
			if v := outcome(torn.theirs[0].Get(i))(t); !identical(v, p.b) {
				t.Errorf("%v: set to the second, Python reads %#v", p, v)
			}
		}
	}
	t.Log(&tally)
}

// goSets has Python read the items that Go sets.
func (torn *tornTest) goSets(t *testing.T) {
	torn.reset(t)
	results, tally := torn.call(t, "read_all", "", func(r *rand.Rand, tally *soak.Tally) {
		i := r.IntN(len(torn.pairs))
		for range 1000 {
			torn.set(t, i, torn.pairs[i].b)
			torn.set(t, i, torn.pairs[i].a)
		}
		tally.Add("sets", 2000)
	})
	torn.judge(t, results, tally, func(p pair, v any) (string, bool) {
		if p.either(v) {
			return "what was written", true
		}
		return "what is in between", p.pythonAllows(v)
	})
	t.Logf("Go: %v", tally)
}

// judge judges the values that Pythons have seen of each pair.
func (torn *tornTest) judge(t *testing.T, results []any, tally *soak.Tally, allow func(p pair, v any) (what string, ok bool)) {
	for _, result := range results {
		result := result.([]any)
		tally.Add("reads by Python", int(result[0].(int64)))
		for _, seen := range result[1].([]any) {
			seen := seen.([]any)
			p, v := torn.pairs[seen[0].(int64)], attempted(seen[1])
			what, ok := allow(p, v)
			tally.Add("different values of "+what, 1)
			if !ok {
				t.Errorf("%v: Python read %#.1000v", p, v)
			}
		}
	}
}

// withLock has both sides read and set, under a lock that they share.
func (torn *tornTest) withLock(t *testing.T) {
	testkit.NeedSemaphores(t)
	torn.reset(t)
	lock := must(pyshm.CreateLock(testkit.Name(t)))(t)
	defer func() { check(t, errors.Join(lock.Close(), lock.Unlink())) }()
	results, tally := torn.call(t, "use_with_lock", fmt.Sprintf(", %q", lock.Name()), func(r *rand.Rand, tally *soak.Tally) {
		i := r.IntN(len(torn.pairs))
		p := torn.pairs[i]
		check(t, lock.Acquire(t.Context()))
		if v, err := torn.list.Get(i); err != nil || !p.either(v) {
			t.Errorf("%v: read %.1000s, %v", p, format.Repr(v), err)
		}
		torn.set(t, i, pick(generator{r}, p.a, p.b))
		check(t, lock.Release())
		tally.Add("reads by Go", 1)
	})
	torn.judge(t, results, tally, func(p pair, v any) (string, bool) { return "what was written", p.either(v) })
	t.Log(tally)
}
