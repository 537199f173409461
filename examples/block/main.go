// Python creates a block of raw memory. Go reads and writes it in place, as float64s.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("run examples/block/producer.py, which starts this program")
	}
	block, err := pyshm.Attach(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer block.Close()
	samples, err := pyshm.View[float64](block, 0, block.Size()/8)
	if err != nil {
		log.Fatal(err)
	}
	for i := range samples {
		samples[i] *= 2
	}
	fmt.Println("Go: doubled", len(samples), "samples")
}
