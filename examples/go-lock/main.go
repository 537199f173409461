// Go makes a lock; Go and a Python worker add to one item of a list under it.
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
	list, err := pyshm.CreateList("", []any{0})
	if err != nil {
		log.Fatal(err)
	}
	defer list.Unlink()
	defer list.Close()

	lock, err := pyshm.CreateLock("")
	if err != nil {
		log.Fatal(err)
	}
	defer lock.Unlink()
	defer lock.Close()
	worker := start("python3", "examples/go-lock/worker.py", list.Name(), lock.Name())
	for range 1000 {
		if err := lock.Acquire(context.Background()); err != nil {
			log.Fatal(err)
		}
		addOne(list)
		if err := lock.Release(); err != nil {
			log.Fatal(err)
		}
	}

	if err := worker.Wait(); err != nil {
		log.Fatal(err)
	}
	count, err := list.Int(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Go: the count is", count)
}

func start(name string, args ...string) *exec.Cmd {
	worker := exec.Command(name, args...)
	worker.Stderr = os.Stderr
	if err := worker.Start(); err != nil {
		log.Fatal(err)
	}
	return worker
}

func addOne(list *pyshm.ShareableList) {
	n, err := list.Int(0)
	if err != nil {
		log.Fatal(err)
	}
	if err := list.SetInt(0, n+1); err != nil {
		log.Fatal(err)
	}
}
