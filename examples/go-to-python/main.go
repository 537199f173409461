// Go creates a list. An unmodified Python worker reads and changes it.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	list, err := pyshm.CreateList("", []any{"apples", 3, 0.5, nil})
	if err != nil {
		return err
	}
	defer list.Unlink()
	defer list.Close()

	worker := exec.Command("python3", "examples/go-to-python/worker.py", list.Name())
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := pyshm.WorkerEnv(worker); err != nil {
		return err
	}
	if err := worker.Run(); err != nil {
		return err
	}
	count, err := list.Int(1)
	if err != nil {
		return err
	}
	fmt.Println("Go: item 1 is now", count)
	return nil
}
