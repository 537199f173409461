package manager_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// A program owns the segments that it shares: workers may come, go and crash, and no
// segment is left when the program ends.
func ExampleStart() {
	ctx := context.Background()
	m, err := manager.Start("", []byte("authkey"))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Shutdown(ctx)

	list, err := m.CreateList(ctx, []any{1, "two", nil})
	if err != nil {
		log.Fatal(err)
	}
	defer list.Close()

	// A worker unlinks the name, as Python's resource tracker does at the end
	// of every process that was attached.
	if err := pyshm.Unlink(list.Name()); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	again, err := pyshm.AttachListContext(ctx, list.Name())
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	fmt.Println(again.Get(1))
	// Output: two <nil>
}

// A program uses a manager in another process, in Python or Go.
func ExampleNewClient() {
	ctx := context.Background()
	elsewhere, err := manager.Start("127.0.0.1:0", []byte("authkey"))
	if err != nil {
		log.Fatal(err)
	}
	defer elsewhere.Shutdown(ctx)

	client := manager.NewClient(elsewhere.Address(), []byte("authkey"))
	block, err := client.Create(ctx, 1<<20)
	if err != nil {
		log.Fatal(err)
	}
	defer block.Close()
	names, err := client.Segments(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(names), names[0] == block.Name())
	fmt.Println(client.Release(ctx, block.Name()))
	// Output:
	// 1 true
	// <nil>
}

// Python's SharedMemoryManager as a client of a Go program.
func ExampleManager_PythonAddress() {
	ctx := context.Background()
	m, err := manager.Start("127.0.0.1:0", []byte("authkey"))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Shutdown(ctx)

	python, err := compat.Find(ctx) // where "python3" would do on most machines
	if err != nil {
		log.Fatal(err)
	}
	worker := exec.Command(python[0].Path, "-c", `
import ast, os
from multiprocessing.managers import SharedMemoryManager
manager = SharedMemoryManager(address=ast.literal_eval(os.environ["MANAGER"]), authkey=b"authkey")
frame = manager.SharedMemory(1 << 20)   # stays when this process has ended
`)
	worker.Env = append(os.Environ(), "MANAGER="+m.PythonAddress()) // ('127.0.0.1', 43210)
	if err := worker.Run(); err != nil {
		log.Fatal(err)
	}
	names, err := m.Segments(ctx)
	fmt.Println(len(names), err)
	// Output: 1 <nil>
}

// A program keeps segments alive that another program has made, for as long as it
// runs itself.
func ExampleNew() {
	ctx := context.Background()
	m, err := manager.New()
	if err != nil {
		log.Fatal(err)
	}
	defer m.Shutdown(ctx)

	block, err := pyshm.Create("", 64)
	if err != nil {
		log.Fatal(err)
	}
	defer block.Close()
	if err := m.Track(ctx, block.Name()); err != nil {
		log.Fatal(err)
	}
	names, err := m.Segments(ctx)
	fmt.Println(len(names), err)
	// Output: 1 <nil>
}
