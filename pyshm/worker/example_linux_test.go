package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm/worker"
)

// A pool of two workers. testdata/worker.py has the function, and ends with serve().
func Example() {
	ctx := context.Background()
	pool, err := worker.Start(ctx, func() *exec.Cmd {
		return exec.Command("python3", "testdata/worker.py")
	}, worker.Options{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close(ctx)

	sum, err := pool.Call(ctx, "add", 1, 2.5)
	fmt.Println(sum, err)

	_, err = pool.Call(ctx, "add", 1, "two")
	var raised *worker.PythonError
	if errors.As(err, &raised) {
		fmt.Println(raised.Class)
	}
	// Output:
	// 3.5 <nil>
	// TypeError
}
