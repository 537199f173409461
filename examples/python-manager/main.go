// Go is a client of Python's own manager. In the end the manager removes the segment that
// Go has made.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pyshm-go/pyshm/pyshm/manager"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("run examples/python-manager/server.py, which starts this program")
	}
	authkey, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	client := manager.NewClient(os.Args[1], authkey)
	block, err := client.Create(context.Background(), 1<<20)
	if err != nil {
		log.Fatal(err)
	}
	defer block.Close()
	if _, err := block.WriteAt([]byte("hello"), 0); err != nil {
		log.Fatal(err)
	}
	fmt.Print(block.Name())
}
