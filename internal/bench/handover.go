//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/bench/affinity"
	"github.com/pyshm-go/pyshm/internal/bench/rounds"
	"github.com/pyshm-go/pyshm/pyshm"
)

// handovers passes a token from a process to another by a semaphore, and back by a second
// one. Both processes wait in the kernel.
func handovers() []comparison {
	var cs []comparison
	for _, placing := range []string{"on one CPU", "on two CPUs"} {
		if placing == "on two CPUs" && runtime.NumCPU() < 2 {
			continue
		}
		compare := func(first, second string, a, b func(*handover) (rounds.Side, error)) comparison {
			c := comparison{name: "handover and back " + placing, first: first, second: second, most: 1.3}
			c.needsC = second == "C, C"
			c.start = func(bench *bench) (_, _ rounds.Side, end func(), err error) {
				h, err := newHandover(bench, placing == "on one CPU")
				if err != nil {
					return nil, nil, nil, err
				}
				one, err := a(h)
				if err != nil {
					h.close()
					return nil, nil, nil, err
				}
				two, err := b(h)
				if err != nil {
					h.close()
				}
				return one, two, h.close, err
			}
			return c
		}
		cs = append(cs,
			compare("Go, Go", "C, C", between((*handover).startGo, (*handover).startGo), (*handover).cAndC),
			compare("Go, Python", "Python, Python", between((*handover).startGo, (*handover).startPython), between((*handover).startPython, (*handover).startPython)))
	}
	return cs
}

// A handover has two semaphores and two places for processes.
type handover struct {
	*bench
	there, back *pyshm.Semaphore
	places      [2]int // CPUs
	ends        []func()
}

func newHandover(b *bench, oneCPU bool) (*handover, error) {
	cpus, _, err := affinity.CPUs()
	if err != nil {
		return nil, err
	}
	h := &handover{bench: b, places: [2]int{cpus[0], cpus[len(cpus)-1]}}
	if oneCPU {
		h.places[1] = cpus[0]
	}
	for _, of := range []**pyshm.Semaphore{&h.there, &h.back} {
		s, err := pyshm.CreateSemaphore("pyshm_bench_*", 0)
		if err != nil {
			h.close()
			return nil, err
		}
		h.ends = append(h.ends, func() { s.Unlink(); s.Close() })
		*of = s
	}
	return h, nil
}

func (h *handover) close() {
	for _, end := range h.ends {
		end()
	}
}

// A party is a process at one of the places. By the command give it passes n tokens and
// waits for each to come back, and by take it returns them.
type party interface {
	do(command string, n int) (time.Duration, error)
}

// between starts two parties.
func between(first, second func(h *handover, place int) (party, error)) func(h *handover) (rounds.Side, error) {
	return func(h *handover) (rounds.Side, error) {
		giver, err := first(h, 0)
		if err != nil {
			return nil, err
		}
		taker, err := second(h, 1)
		if err != nil {
			return nil, err
		}
		return func(n int) (time.Duration, error) {
			returned := make(chan error, 1)
			go func() { _, err := taker.do("take", n); returned <- err }()
			took, err := giver.do("give", n)
			if err != nil {
				return 0, err
			}
			return took, <-returned
		}, nil
	}
}

// A goParty is a second process of this program, which starts at its place: the Go
// runtime looks once, at the start, how many CPUs there are.
type goParty struct {
	commands io.Writer
	results  *bufio.Scanner
}

func (h *handover) startGo(place int) (party, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-exchange", h.there.Name()+" "+h.back.Name())
	cmd.Stderr = os.Stderr
	commands, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	results, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := affinity.Start(cmd, affinity.Of(h.places[place])); err != nil {
		return nil, err
	}
	h.ends = append(h.ends, func() { commands.Close(); cmd.Wait() })
	return goParty{commands, bufio.NewScanner(results)}, nil
}

func (p goParty) do(command string, n int) (took time.Duration, err error) {
	if _, err := fmt.Fprintln(p.commands, command, n); err != nil {
		return 0, err
	}
	if !p.results.Scan() {
		return 0, fmt.Errorf("the process that should %s has ended: %w", command, p.results.Err())
	}
	_, err = fmt.Sscan(p.results.Text(), (*int64)(&took))
	return took, err
}

// exchanges is the second process: it executes the commands of do.
func exchanges(names string, commands io.Reader, results io.Writer) error {
	var name [2]string
	if _, err := fmt.Sscan(names, &name[0], &name[1]); err != nil {
		return err
	}
	there, err := pyshm.AttachSemaphore(name[0])
	if err != nil {
		return err
	}
	back, err := pyshm.AttachSemaphore(name[1])
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(commands); lines.Scan(); {
		var command string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &command, &n); err != nil {
			return err
		}
		to, from := there, back
		if command == "take" {
			to, from = back, there
		}
		took, err := exchange(to, from, n, command == "take")
		if err != nil {
			return err
		}
		fmt.Fprintln(results, took.Nanoseconds())
	}
	return nil
}

// exchange passes n tokens after one that does not count, or returns as many.
func exchange(to, from *pyshm.Semaphore, n int, returning bool) (time.Duration, error) {
	var began time.Time
	for i := range n + 1 {
		if i == 1 {
			began = time.Now()
		}
		if !returning {
			if err := to.Release(); err != nil {
				return 0, err
			}
		}
		if err := from.Acquire(context.Background()); err != nil {
			return 0, err
		}
		if returning {
			if err := to.Release(); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(began), nil
}

const exchangeInPython = `
import time
from pyshm_attach import attach_semaphore
there, back = attach_semaphore(%q), attach_semaphore(%q)
def give(n):
    for i in range(n + 1):
        if i == 1:
            began = time.perf_counter_ns()
        there.release()
        back.acquire()
    return time.perf_counter_ns() - began
def take(n):
    for _ in range(n + 1):
        there.acquire()
        back.release()
    return 0
`

type pythonParty struct{ *compat.Peer }

func (h *handover) startPython(place int) (party, error) {
	p, err := h.startPeer()
	if err != nil {
		return nil, err
	}
	h.ends = append(h.ends, func() { p.Close() })
	if err := affinity.Bind(p.Pid(), affinity.Of(h.places[place])); err != nil {
		return nil, err
	}
	return pythonParty{p}, p.Exec(fmt.Sprintf(exchangeInPython, h.there.Name(), h.back.Name()))
}

func (p pythonParty) do(command string, n int) (time.Duration, error) {
	took, err := p.Eval(fmt.Sprintf("%s(%d)", command, n))
	if err != nil {
		return 0, err
	}
	return time.Duration(took.(int64)), nil
}

func (h *handover) cAndC() (rounds.Side, error) {
	return func(n int) (time.Duration, error) {
		return h.c.measure(fmt.Sprintf("handover %s %s,%d,%d", h.there.Name(), h.back.Name(), h.places[0], h.places[1]), n)
	}, nil
}

// hammering has a Python increment a number under a lock, alone, and while a goroutine
// acquires and releases the lock without a pause.
func hammering() comparison {
	start := func(b *bench) (alone, beside rounds.Side, end func(), err error) {
		l, err := pyshm.CreateLock("pyshm_bench_*")
		if err != nil {
			return nil, nil, nil, err
		}
		p, err := b.startPeer()
		if err != nil {
			return nil, nil, nil, err
		}
		end = func() { p.Close(); l.Unlink(); l.Close() }
		err = p.Exec(fmt.Sprintf(incrementsInPython, l.Name()))
		alone = func(n int) (time.Duration, error) {
			took, err := p.Eval(fmt.Sprintf("increment(%d)", n))
			if err != nil {
				return 0, err
			}
			return time.Duration(took.(int64)), nil
		}
		beside = func(n int) (took time.Duration, err error) {
			stop, stopped := make(chan struct{}), make(chan error, 1)
			go func() { stopped <- hammer(l, stop) }()
			took, err = alone(n)
			close(stop)
			if failed := <-stopped; err == nil {
				err = failed
			}
			return took, err
		}
		return alone, beside, end, err
	}
	return comparison{name: "Python adds 1 under a lock", first: "alone", second: "Go hammers", least: 0.6, start: start}
}

const incrementsInPython = `
import time
from pyshm_attach import attach_lock
lock, number = attach_lock(%q), [0]
def increment(n):
    began = time.perf_counter_ns()
    for _ in range(n):
        with lock:
            number[0] += 1
    return time.perf_counter_ns() - began
`

func hammer(l *pyshm.Lock, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		for range 100 {
			if err := l.Acquire(context.Background()); err != nil {
				return err
			}
			if err := l.Release(); err != nil {
				return err
			}
		}
	}
}
