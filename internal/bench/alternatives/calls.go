//go:build linux

package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pyshm-go/pyshm/pyshm/worker"
)

const workerProgram = `
from pyshm_attach import serve

@serve
def change(data):
    data[0] = int(data[0]) + 1 & %s
    return data

@serve
def touch(data):
    data[0] = int(data[0]) + 1 & %[1]s

serve()
`

// newPool starts a Python that serves calls.
func newPool[T element](s *session) (*worker.Pool, error) {
	var zero T
	most := "255"
	if _, ok := any(zero).(int64); ok {
		most = "(1 << 62) - 1"
	}
	program := filepath.Join(s.dir, "worker.py")
	if err := os.WriteFile(program, fmt.Appendf(nil, workerProgram, most), 0o600); err != nil {
		return nil, err
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(s.python.Path, program)
		s.workers = append(s.workers, cmd)
		return cmd
	}
	pool, err := worker.Start(s.ctx, start,
		worker.Options{Workers: 1, Arena: 1 << 30, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		s.atEnd(func() { _ = pool.Close(s.ctx) })
	}
	return pool, err
}

// byCall calls a function with a list, and receives the list that it returns.
func byCall(s *session) (p passer[int64], err error) {
	pool, err := newPool[int64](s)
	if err != nil {
		return p, err
	}
	var returned any
	p.send = func(data []int64) (err error) {
		returned, err = pool.Call(s.ctx, "change", data)
		return err
	}
	p.receive = func() ([]int64, error) { return elementsOf[int64](returned) }
	return p, nil
}

// byJob calls a function with an array in the worker's arena, which the function changes.
func byJob[T element](s *session) (p passer[T], err error) {
	pool, err := newPool[T](s)
	if err != nil {
		return p, err
	}
	opened, end, ended := make(chan error), make(chan struct{}), make(chan struct{})
	var call func() error
	go func() {
		defer close(ended)
		err := pool.Do(s.ctx, func(j *worker.Job) error {
			a, err := worker.NewArray[T](j, s.count)
			if err != nil {
				return err
			}
			p.array = a
			if p.data, err = a.Slice(); err != nil {
				return err
			}
			call = func() error { _, err := j.Call(s.ctx, "touch", a); return err }
			opened <- nil
			<-end
			return nil
		})
		if err != nil {
			opened <- err
		}
	}()
	if err := <-opened; err != nil {
		return p, err
	}
	s.atEnd(func() { close(end); <-ended })
	data := p.data
	p.send = func([]T) error { return call() }
	p.receive = func() ([]T, error) { return data, nil }
	return p, nil
}

func byJobCopied[T element](s *session) (passer[T], error) {
	p, err := byJob[T](s)
	if err == nil {
		p = copied(p)
	}
	return p, err
}
