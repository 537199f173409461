//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/pyshm-go/pyshm/internal/bench/affinity"
)

// pin runs Go and the Pythons of a session on a CPU each, until unpin is called. Workers
// that have started before stay awake for calls as they do on two CPUs.
func (s *session) pin() (unpin func(), err error) {
	cpus, all, err := affinity.CPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		return nil, fmt.Errorf("there is one CPU only")
	}
	pids := []int{os.Getpid(), s.peer.Pid()}
	for _, w := range s.workers {
		pids = append(pids, w.Process.Pid)
	}
	threads := runtime.GOMAXPROCS(1) // as a process has that starts with one CPU
	unpin = func() {
		runtime.GOMAXPROCS(threads)
		for _, pid := range pids {
			_ = affinity.Bind(pid, all)
		}
	}
	for i, pid := range pids {
		if err := affinity.Bind(pid, affinity.Of(cpus[min(i, 1)])); err != nil {
			unpin()
			return nil, err
		}
	}
	return unpin, nil
}
