//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/bench/rounds"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An operation is what Go, Python and perhaps C do with the same segment.
type operation struct {
	name string
	goal float64 // how many times longer Python should take; 0 if that is not said

	// start makes what the operation works on. Names of segments begin with the prefix.
	// It returns the operation in Go, n times, and what to do at the end.
	start func(prefix string) (op func(n int) error, end func(), err error)

	setup  string // in Python, once: NAME is the prefix as a literal
	python string // the statement to measure
	after  string // in Python, after each round, unmeasured
	c      string // the operation of the C program with its arguments: NAME is the prefix

	items int // each counts as an operation in the result; 0 means 1
	most  int // how many times the operation may be done in a round; 0 means any number
}

// A clock measures time, or the CPU time of a process.
type clock struct{ cpu bool }

func (c clock) now() time.Duration {
	if !c.cpu {
		return time.Duration(time.Now().UnixNano())
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (c clock) python() string {
	if c.cpu {
		return "time.process_time_ns"
	}
	return "time.perf_counter_ns"
}

// A bench has the processes that take part.
type bench struct {
	python compat.Interpreter
	peer   *compat.Peer
	c      *cProgram
	clock  clock
	budget time.Duration
	rounds int
}

func newBench(py compat.Interpreter, clock clock, budget time.Duration, count int) (*bench, error) {
	peer, err := py.Start(context.Background(), compat.Timeout(10*time.Minute))
	if err != nil {
		return nil, err
	}
	b := &bench{python: py, peer: peer, c: startC(clock), clock: clock, budget: budget, rounds: count}
	err = peer.Exec(fmt.Sprintf(`
import time
from multiprocessing import Lock
from multiprocessing.shared_memory import ShareableList, SharedMemory
def _measure(source, n):
    scope = {}
    exec("def f(_n):\n    for _ in range(_n):\n        " + source.replace("\n", "\n        "), globals(), scope)
    f, now = scope["f"], %s
    begin = now()
    f(n)
    return now() - begin
`, clock.python()))
	return b, err
}

// startPeer starts a further Python, which has pyshm_attach.
func (b *bench) startPeer() (*compat.Peer, error) {
	var failed error
	p, err := b.python.Start(context.Background(), compat.Timeout(10*time.Minute),
		compat.Command(func(cmd *exec.Cmd) { failed = pyshm.WorkerEnv(cmd) }))
	if err == nil && failed != nil {
		p.Close()
		err = failed
	}
	return p, err
}

func (b *bench) close() {
	b.c.close()
	b.peer.Close()
}

func (b *bench) measure(o operation) (result, error) {
	prefix := "pyshm_bench_" + strings.ToLower(rand.Text()[:12])
	op, end, err := o.start(prefix)
	if err != nil {
		return result{}, err
	}
	defer end()
	literal := strings.NewReplacer("NAME", format.Repr(prefix))
	if err := b.peer.Exec(literal.Replace(o.setup)); err != nil {
		return result{}, err
	}
	inPython := func(n int) (time.Duration, error) {
		v, err := b.peer.Eval(fmt.Sprintf("_measure(%s, %d)", format.Repr(literal.Replace(o.python)), n))
		if err != nil {
			return 0, err
		}
		return time.Duration(v.(int64)), b.peer.Exec(literal.Replace(o.after))
	}
	sides := []rounds.Side{inGo(b.clock, op), inPython}
	if o.c != "" && b.c.running() {
		words := strings.ReplaceAll(o.c, "NAME", prefix)
		sides = append(sides, func(n int) (time.Duration, error) { return b.c.measure(words, n) })
	}
	times, err := rounds.Alternate(sides, b.rounds, o.most, b.budget)
	if err != nil {
		return result{}, err
	}
	return newResult(o, times), nil
}
