package manager_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os/exec"
	"strings"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// The recipe of Python's documentation, with the server in Python and a client in Go.
func ExampleClient_New() {
	ctx := context.Background()
	python, err := compat.Find(ctx) // where "python3" would do on most machines
	if err != nil {
		log.Fatal(err)
	}
	server := exec.Command(python[0].Path, "-c", `
import queue
from multiprocessing.managers import BaseManager
class QueueManager(BaseManager): pass
jobs = queue.Queue()
QueueManager.register("get_queue", callable=lambda: jobs)
server = QueueManager(("127.0.0.1", 0), authkey=b"abracadabra").get_server()
print("%s:%d" % server.address, flush=True)
server.serve_forever()
`)
	stdout, err := server.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		log.Fatal(err)
	}

	client := manager.NewClient(strings.TrimSpace(address), []byte("abracadabra"))
	queue, err := client.New(ctx, "get_queue")
	if err != nil {
		log.Fatal(err)
	}
	defer queue.Close()
	if _, err := queue.Call(ctx, "put", "hello"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(queue.Call(ctx, "get"))
	_, err = queue.Call(ctx, "get", manager.Keywords{"timeout": 0.01})
	fmt.Println(errors.Is(err, manager.ErrEmpty))
	_ = client.Shutdown(ctx)
	_ = server.Wait()
	// Output:
	// hello <nil>
	// true
}

// A counter in Go: the functions are the methods of what clients, in Python or Go, get.
func ExampleManager_Register() {
	ctx := context.Background()
	m, err := manager.Start("", []byte("authkey"))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Shutdown(ctx)
	numbers := make(chan int, 1)
	numbers <- 1
	counter := manager.NewObject(map[string]manager.Function{
		"next": func(context.Context, []any) (any, error) {
			n := <-numbers
			numbers <- n + 1
			return n, nil
		},
	})
	m.Register("counter", func(context.Context, []any) (any, error) { return counter, nil })

	client := manager.NewClient(m.Address(), []byte("authkey"))
	for range 2 {
		proxy, err := client.New(ctx, "counter")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(proxy.Call(ctx, "next"))
		proxy.Close()
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}

// A program and its clients share a dict.
func ExampleDict() {
	m, err := manager.Start("", []byte("authkey"))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Shutdown(context.Background())
	settings := manager.NewDict()
	m.Register("settings", func(context.Context, []any) (any, error) { return settings, nil })
	if err := settings.Set("colour", "red"); err != nil {
		log.Fatal(err)
	}

	client := manager.NewClient(m.Address(), []byte("authkey"))
	proxy, err := client.New(context.Background(), "settings")
	if err != nil {
		log.Fatal(err)
	}
	defer proxy.Close()
	_, err = proxy.Call(context.Background(), "update", manager.Keywords{"size": 3})
	fmt.Println(err, settings.Items())
	// Output: <nil> {'colour': 'red', 'size': 3}
}
