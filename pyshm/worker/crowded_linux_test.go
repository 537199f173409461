//go:build !pyshm_posix

package worker

import (
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestWatchersRestBesideOthers: a watcher rests while another process takes the processor
// that it yields, and so does a worker, though what they watch for comes and goes as usual.
func TestWatchersRestBesideOthers(t *testing.T) {
	needArena(t)
	if processors() < 2 {
		t.Skip("nothing is watched on one processor")
	}
	py := testkit.Python(t)
	processor := occupied(t, py.Path)

	p := startPool(t, py, Options{Workers: 1})
	testkit.Eventually(t, "the worker rests", func() bool {
		time.Sleep(time.Millisecond) // longer than it stays awake
		return call(t, p, "resting", processor).(bool)
	})

	pin(t, processor)
	var w watcher
	testkit.Eventually(t, "the watcher rests", func() bool {
		w.skip = 0
		must(w.watch(mostSpin, func() (bool, error) { return false, nil }, func() bool { return true }))(t)
		return w.pause > 0
	})
}

// TestWorkerMoves: a worker sleeps now and then while the service calls from the same
// processor, so that the kernel may wake it on another.
func TestWorkerMoves(t *testing.T) {
	needArena(t)
	if processors() < 2 {
		t.Skip("nothing is watched on one processor")
	}
	p := startPool(t, testkit.Python(t), Options{Workers: 1})
	processor := firstAllowed(t)
	pin(t, processor)
	testkit.Eventually(t, "the worker sleeps", func() bool {
		for range 100 {
			call(t, p, "nothing")
		}
		return call(t, p, "moving", processor).(bool)
	})
}

// firstAllowed returns a processor that this process may use.
func firstAllowed(t *testing.T) (processor int) {
	var allowed unix.CPUSet
	check(t, unix.SchedGetaffinity(0, &allowed))
	for !allowed.IsSet(processor) {
		processor++
	}
	return processor
}

// occupied returns a processor that a process keeps busy until the test ends.
func occupied(t *testing.T, python string) (processor int) {
	processor = firstAllowed(t)
	busy := exec.Command(python, "-c", `
import os
os.sched_setaffinity(0, {`+strconv.Itoa(processor)+`})
os.write(1, b".")
while True:
    pass`)
	out := must(busy.StdoutPipe())(t)
	check(t, busy.Start())
	t.Cleanup(func() {
		busy.Process.Kill()
		busy.Wait()
	})
	must(out.Read(make([]byte, 1)))(t)
	return processor
}

// pin keeps the test on one processor until it ends.
func pin(t *testing.T, processor int) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	var before, only unix.CPUSet
	check(t, unix.SchedGetaffinity(0, &before))
	t.Cleanup(func() { unix.SchedSetaffinity(0, &before) })
	only.Set(processor)
	check(t, unix.SchedSetaffinity(0, &only))
}
