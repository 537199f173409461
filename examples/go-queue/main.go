// Go serves a queue of jobs and a queue of results. An unmodified Python worker, which
// could be on another machine, takes jobs from one and puts results into the other.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm/manager"
)

func main() {
	if err := run(context.Background(), []byte(rand.Text())); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, authkey []byte) error {
	m, err := manager.Start("127.0.0.1:0", authkey)
	if err != nil {
		return err
	}
	defer m.Shutdown(ctx)
	jobs, results := manager.NewQueue(0), manager.NewQueue(0)
	m.Register("jobs", func(context.Context, []any) (any, error) { return jobs, nil })
	m.Register("results", func(context.Context, []any) (any, error) { return results, nil })

	worker := exec.Command("python3", "examples/go-queue/worker.py", m.PythonAddress())
	worker.Stdin, worker.Stderr = bytes.NewReader(authkey), os.Stderr
	if err := worker.Start(); err != nil {
		return err
	}
	for _, job := range []any{"hello", []any{1, 2, 3}, nil} { // None ends the worker
		if err := jobs.Put(ctx, job); err != nil {
			return err
		}
	}
	if err := worker.Wait(); err != nil {
		return err
	}
	for results.Len() > 0 {
		result, err := results.Get(ctx)
		if err != nil {
			return err
		}
		fmt.Println("Go:", result)
	}
	return nil
}
