// Go runs a manager. An unmodified Python worker makes a list through it, and the list
// outlives the worker.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

func main() {
	if err := run(context.Background(), []byte(rand.Text())); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, authkey []byte) error {
	m, err := manager.Start("", authkey)
	if err != nil {
		return err
	}
	defer m.Shutdown(ctx) // removes every segment that the manager still has

	worker := exec.Command("python3", "examples/go-manager/worker.py", m.PythonAddress())
	worker.Stdin = bytes.NewReader(authkey)
	name, err := worker.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return err
	}
	list, err := pyshm.AttachListContext(ctx, string(name))
	if err != nil {
		return err
	}
	defer list.Close()
	fmt.Println("Go: Python has ended and left", list)
	return nil
}
