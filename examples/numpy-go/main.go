// Go creates a numpy array. A Python worker opens it with numpy alone and changes it.
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
	image, err := pyshm.CreateArray[float32]("image-*", []int{480, 640})
	if err != nil {
		return err
	}
	defer image.Unlink()
	defer image.Close()
	if err := image.Set(0.25, 3, 4); err != nil {
		return err
	}

	worker := exec.Command("python3", "examples/numpy-go/worker.py", image.Name())
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Run(); err != nil {
		return err
	}
	pixel, err := image.At(3, 4)
	if err != nil {
		return err
	}
	fmt.Println("Go: the pixel is now", pixel)
	return nil
}
