// Python makes a value and a barrier. Python and Go wait for each other, and then add to
// the value.
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
		log.Fatal("run examples/python-value/counter.py, which starts this program")
	}
	ctx := context.Background()
	var counterParts pyshm.ValueParts
	var startParts pyshm.BarrierParts
	for i, parts := range []any{&counterParts, &startParts} {
		if err := json.Unmarshal([]byte(os.Args[1+i]), parts); err != nil {
			log.Fatal(err)
		}
	}
	start, err := pyshm.AttachBarrierParts(startParts)
	if err != nil {
		log.Fatal(err)
	}
	defer start.Close()
	counter, err := pyshm.AttachValueParts[int64](counterParts)
	if err != nil {
		log.Fatal(err)
	}
	defer counter.Close()
	if _, err := start.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	for range 1000 {
		err := counter.Update(ctx, func(n *int64) error { *n++; return nil })
		if err != nil {
			log.Fatal(err)
		}
	}
}
