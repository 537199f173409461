// Python creates a list. Go attaches to it by name, reads and changes it.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("run examples/python-to-go/producer.py, which starts this program")
	}
	list, err := pyshm.AttachList(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer list.Close()
	for item, err := range list.All() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("Go: %T %v\n", item, item)
	}
	if err := list.Set(2, "adieu"); err != nil {
		log.Fatal(err)
	}
}
