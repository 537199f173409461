// Pipe starts a worker in Python and sends it jobs.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm/connection"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	conn, file, err := connection.Pipe()
	if err != nil {
		return err
	}
	defer conn.Close()

	worker := exec.Command("python3", "examples/pipe/worker.py")
	worker.ExtraFiles = []*os.File{file} // descriptor 3 of the worker
	worker.Stderr = os.Stderr
	err = worker.Start()
	file.Close() // the worker has its own
	if err != nil {
		return err
	}
	for _, job := range [][]float64{{1, 2, 3}, {0.5, 0.25}} {
		if err := conn.Send(ctx, job); err != nil {
			return err
		}
		result, err := conn.Recv(ctx)
		if err != nil {
			return err
		}
		fmt.Println("Go:", result)
	}
	if err := conn.Send(ctx, nil); err != nil {
		return err
	}
	return worker.Wait()
}
