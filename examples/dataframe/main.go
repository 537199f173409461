// Go creates an array, which a Python worker uses as a dataframe of pandas.
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	prices, err := pyshm.CreateArray[[2]float64]("prices-*", []int{1000}) // bid and ask
	if err != nil {
		return err
	}
	defer prices.Unlink()
	defer prices.Close()
	if err := prices.Set([2]float64{101.25, 101.5}, 7); err != nil {
		return err
	}

	worker := exec.Command("python3", "examples/dataframe/worker.py", prices.Name())
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Run(); err != nil {
		return err
	}
	row, err := prices.At(7)
	if err != nil {
		return err
	}
	fmt.Println("Go: the bid is now", row[0])
	return nil
}
