// Go creates a list; an unmodified Python worker reads and changes it.
package main

import (
	"fmt"
	"log"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	list, err := pyshm.CreateList("", []any{"apples", 3, 0.5, nil})
	if err != nil {
		log.Fatal(err)
	}
	defer list.Unlink()
	defer list.Close()

	worker := exec.Command("python3", "examples/go-to-python/worker.py", list.Name())
	if err := pyshm.WorkerEnv(worker); err != nil {
		log.Fatal(err)
	}
	out, err := worker.Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Python: %s", out)
	count, err := list.Int(1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Go: item 1 is now", count)
}
