// Python makes a lock. Python and Go add to one item of a list while they hold it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("run examples/python-lock/producer.py, which starts this program")
	}
	list, err := pyshm.AttachList(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer list.Close()

	var parts struct{ Lock string }
	if err := json.Unmarshal([]byte(os.Args[2]), &parts); err != nil {
		log.Fatal(err)
	}
	lock, err := pyshm.AttachLock(parts.Lock)
	if err != nil {
		log.Fatal(err)
	}
	defer lock.Close()

	for range 1000 {
		err := lock.With(context.Background(), func() error {
			count, err := list.Int(0)
			if err != nil {
				return err
			}
			return list.SetInt(0, count+1)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
}
