// Queue hands jobs to a worker in Python, and gets its results.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	jobs, err := pyshm.CreateQueue("jobs-*", 10, pyshm.Joinable())
	if err != nil {
		return err
	}
	defer jobs.Unlink()
	defer jobs.Close()

	results, err := pyshm.CreateQueue("results-*", 0)
	if err != nil {
		return err
	}
	defer results.Unlink()
	defer results.Close()

	worker := exec.Command("python3", "examples/queue/worker.py", jobs.Name(), results.Name())
	worker.Stderr = os.Stderr
	if err := pyshm.WorkerEnv(worker); err != nil { // so that Python finds pyshm_attach
		return err
	}
	if err := worker.Start(); err != nil {
		return err
	}
	all := [][]int{{1, 2, 3}, {4, 5}}
	for _, job := range all {
		if err := jobs.Put(ctx, job); err != nil {
			return err
		}
	}
	if err := jobs.Join(ctx); err != nil {
		return err
	}
	for range all {
		result, err := results.Get(ctx)
		if err != nil {
			return err
		}
		fmt.Println("Go:", result)
	}
	if err := jobs.Put(ctx, nil); err != nil { // the end
		return err
	}
	return worker.Wait()
}
