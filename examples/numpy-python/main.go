// Python saves an array of records. Go attaches to it by name, reads and changes it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("write the name of an array that examples/numpy-python/maker.py has made")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, name string) error {
	type Tick struct {
		T     int64 `numpy:"t,M8[ns]"`
		Price float64
		Qty   int32
	}
	ticks, err := pyshm.AttachArrayContext[Tick](ctx, name)
	if err != nil {
		return err
	}
	defer ticks.Close()
	return ticks.Guard(func(all []Tick) error {
		fmt.Println("Go:", time.Unix(0, all[0].T).UTC(), all[0].Price, all[0].Qty)
		all[0].Qty -= 50
		return nil
	})
}
