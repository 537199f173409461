package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// keepRunning runs a Python program until it ends by itself or ctx ends. If a signal has
// killed it, keepRunning starts it again, unless it has not written a single frame.
func keepRunning(ctx context.Context, frames *pyshm.Ring[float32], args ...string) error {
	for {
		before, err := pyshm.DescribeRing(frames.SharedMemory())
		if err != nil {
			return err
		}
		python, err := start(ctx, args...)
		if err != nil {
			return err
		}
		fmt.Printf("Go: process %d writes from frame %d on\n", python.Process.Pid, before.Newest+1)
		ended := python.Wait()
		after, err := pyshm.DescribeRing(frames.SharedMemory())
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil: // it was told to end
			return nil
		case python.ProcessState.ExitCode() == -1 && after.Newest > before.Newest:
			fmt.Println("Go: Python has ended:", ended)
		default:
			return ended
		}
	}
}

// start starts Python. It gets SIGTERM when ctx ends, and SIGKILL if it ignores that.
func start(ctx context.Context, args ...string) (*exec.Cmd, error) {
	python := exec.CommandContext(ctx, "python3", args...)
	python.Cancel = func() error { return python.Process.Signal(syscall.SIGTERM) }
	python.WaitDelay = 5 * time.Second
	python.Stdout, python.Stderr = os.Stdout, os.Stderr
	if err := pyshm.WorkerEnv(python); err != nil {
		return nil, err
	}
	return python, python.Start()
}
