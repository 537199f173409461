//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/bench/affinity"
)

// pin runs Go and Python on a CPU each, until unpin is called.
func pin(python *compat.Peer) (unpin func(), err error) {
	cpus, all, err := affinity.CPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		return nil, fmt.Errorf("there is one CPU only")
	}
	pids := []int{os.Getpid(), python.Pid()}
	threads := runtime.GOMAXPROCS(1) // as a process has that starts with one CPU
	unpin = func() {
		runtime.GOMAXPROCS(threads)
		for _, pid := range pids {
			_ = affinity.Bind(pid, all)
		}
	}
	for i, pid := range pids {
		if err := affinity.Bind(pid, affinity.Of(cpus[i])); err != nil {
			unpin()
			return nil, err
		}
	}
	return unpin, nil
}
