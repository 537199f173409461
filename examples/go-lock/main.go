// Go makes a lock. Go and a Python worker add to one item of a list while they hold it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	// Otherwise a signal would end the program without its defers, and the names would stay.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	list, err := pyshm.CreateList("", []any{0})
	if err != nil {
		return err
	}
	defer list.Unlink()
	defer list.Close()

	lock, err := pyshm.CreateLock("")
	if err != nil {
		return err
	}
	defer lock.Unlink()
	defer lock.Close()

	worker := exec.CommandContext(ctx, "python3", "examples/go-lock/worker.py", list.Name(), lock.Name())
	worker.Stderr = os.Stderr
	if err := pyshm.WorkerEnv(worker); err != nil { // so that Python finds pyshm_attach
		return err
	}
	if err := worker.Start(); err != nil {
		return err
	}
	for range 1000 {
		if err = addOne(ctx, lock, list); err != nil {
			break
		}
	}
	if err := errors.Join(err, worker.Wait()); err != nil {
		return err
	}
	count, err := list.Int(0)
	if err != nil {
		return err
	}
	fmt.Println("Go: the count is", count)
	return nil
}

func addOne(ctx context.Context, lock *pyshm.Lock, list *pyshm.ShareableList) error {
	return lock.With(ctx, func() error {
		count, err := list.Int(0)
		if err != nil {
			return err
		}
		return list.SetInt(0, count+1)
	})
}
