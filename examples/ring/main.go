// Go creates a ring of frames. A Python worker publishes pictures in it with numpy alone,
// and Go looks at the newest one whenever there is one.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/pyshm-go/pyshm/pyshm"
)

const pictures = 100

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ring, err := pyshm.CreateRing[uint8]("camera-*", 4, []int{480, 640, 3})
	if err != nil {
		return err
	}
	defer ring.Unlink()
	defer ring.Close()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	camera := exec.Command("python3", "examples/ring/camera.py", ring.Name())
	camera.Stdout, camera.Stderr = os.Stdout, os.Stderr
	if err := camera.Start(); err != nil {
		return err
	}
	ended := make(chan error)
	go func() {
		err := camera.Wait()
		cancel() // no more pictures will come
		ended <- err
	}()
	last, err := watch(ctx, ring)
	if err := errors.Join(<-ended, err); err != nil {
		return err
	}
	fmt.Println("Go: the last picture is of brightness", last)
	return nil
}

// watch looks at pictures until the last one, and returns its brightness.
func watch(ctx context.Context, ring *pyshm.Ring[uint8]) (brightness uint8, err error) {
	picture := make([]uint8, ring.Len())
	for n := uint64(0); n < pictures; {
		if n, err = ring.Next(ctx, n, picture); err != nil {
			return 0, err
		}
	}
	return picture[0], nil
}
