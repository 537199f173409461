//go:build linux

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// goroutines has more and more goroutines wait for one lock.
func goroutines() series {
	return series{
		name: "goroutines", title: "Goroutines that wait for one lock", x: "goroutines",
		sizes: []int{1, 10, 100, 1_000},
		bytes: func(int) int { return 4096 },
		measure: func(count int) (figures, error) {
			l, err := pyshm.CreateLock(pattern)
			if err != nil {
				return nil, err
			}
			defer remove(l)
			return medians(5, func() (figures, error) { return waitTogether(l, count) })
		},
	}
}

// medians returns the medians of several calls of f.
func medians(calls int, f func() (figures, error)) (figures, error) {
	var all []figures
	for range calls {
		one, err := f()
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	result := slices.Clone(all[0])
	for i := range result {
		slices.SortFunc(all, func(a, b figures) int { return cmp.Compare(a[i].Value, b[i].Value) })
		result[i] = all[calls/2][i]
	}
	return result, nil
}

// waitTogether has goroutines wait for a lock, until all of them have had it in turn.
func waitTogether(l *pyshm.Lock, count int) (figures, error) {
	var m measured
	ended := make(chan error, count)
	m.grown("each takes", 1, func(int) error {
		if err := l.Acquire(context.Background()); err != nil {
			return err
		}
		for range count {
			go func() { ended <- l.With(context.Background(), func() error { return nil }) }()
		}
		time.Sleep(50 * time.Millisecond) // they wait
		return nil
	})
	if m.err != nil {
		return nil, m.err
	}
	m.figures[0].Value /= float64(count)
	began := time.Now()
	err := l.Release()
	for range count {
		err = errors.Join(err, <-ended)
	}
	return append(m.figures, figure{Name: "turn of one", Value: float64(time.Since(began)) / float64(count)}), err
}

// processes has more and more processes acquire and release one lock all the time.
func processes() series {
	return series{
		name: "processes", title: "Processes that acquire and release one lock all the time", x: "processes",
		sizes: []int{1, 2, 4, 8, 16},
		bytes: func(int) int { return 4096 },
		measure: func(count int) (figures, error) {
			l, err := pyshm.CreateLock(pattern)
			if err != nil {
				return nil, err
			}
			defer remove(l)
			return measureProcesses(l.Name(), count)
		},
	}
}

const acquisitions = 20_000 // of all processes together

func measureProcesses(lock string, count int) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var inputs []io.WriteCloser
	var outputs []*bufio.Reader
	for range count {
		cmd := exec.Command(self, "-wait", lock)
		cmd.Stderr = os.Stderr
		input, err := cmd.StdinPipe()
		if err != nil {
			return nil, err
		}
		output, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		defer func() { input.Close(); cmd.Wait() }()
		inputs, outputs = append(inputs, input), append(outputs, bufio.NewReader(output))
	}
	round := func() (err error) {
		for _, input := range inputs {
			_, failed := fmt.Fprintln(input, acquisitions/count)
			err = errors.Join(err, failed)
		}
		for _, output := range outputs {
			_, failed := output.ReadString('\n')
			err = errors.Join(err, failed)
		}
		return err
	}
	if err := round(); err != nil { // all have started
		return nil, err
	}
	f, err := timed("acquire, release", 1, func(int) error { return round() })
	f.Value /= acquisitions
	return figures{f}, err
}

// waitFor is one of the processes: it reads how often to acquire the lock.
func waitFor(lock string, counts io.Reader, done io.Writer) error {
	l, err := pyshm.AttachLock(lock)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(counts); lines.Scan(); {
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			return err
		}
		for range n {
			if err := l.Acquire(context.Background()); err != nil {
				return err
			}
			if err := l.Release(); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(done, "done"); err != nil {
			return err
		}
	}
	return nil
}
