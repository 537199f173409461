// A sidecar measures the frames that a Python program makes. numpy writes them into a ring
// as fast as it can. Go looks at the newest one, computes statistics, and publishes them in
// a second ring, where Python reads them: here it sets the exposure of a camera by them.
// A Python that is killed is started again, and goes on in the same rings.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/pyshm-go/pyshm/pyshm"
)

func main() {
	last := "5000"
	if len(os.Args) > 1 {
		last = os.Args[1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, last); err != nil {
		log.Fatal(err)
	}
}

// run ends when Python has written the last frame, or when ctx ends.
func run(ctx context.Context, last string) error {
	frames, err := pyshm.CreateRing[float32]("frames-*", 4, []int{240, 320})
	if err != nil {
		return err
	}
	defer frames.Unlink()
	defer frames.Close()
	statistics, err := pyshm.CreateRing[Statistics]("statistics-*", 4, nil)
	if err != nil {
		return err
	}
	defer statistics.Unlink()
	defer statistics.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	writing, ended := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		failed <- keepRunning(ctx, frames, "examples/sidecar/camera.py", frames.Name(), statistics.Name(), last)
		ended() // no more frames will come
	}()
	err = measureAll(writing, frames, statistics)
	cancel() // if measuring has failed, Python has to end
	return errors.Join(err, <-failed)
}

// measureAll publishes statistics of the newest frame, again and again. When no more frames
// will come it measures the last one.
func measureAll(writing context.Context, frames *pyshm.Ring[float32], statistics *pyshm.Ring[Statistics]) error {
	frame := make([]float32, frames.Len())
	var newest Statistics
	for measured := 0; ; measured++ {
		n, err := frames.Next(writing, newest.Frame, frame)
		for errors.Is(err, pyshm.ErrOutrun) { // the frame changed whenever it was copied
			n, err = frames.Next(writing, newest.Frame, frame)
		}
		switch {
		case errors.Is(err, context.Canceled):
			fmt.Printf("Go: measured %d of %d frames; the last is from %.2f to %.2f\n", measured, newest.Frame, newest.Min, newest.Max)
			return nil
		case err != nil:
			return err
		}
		newest = measure(n, frame)
		if _, err := statistics.Publish(func(s []Statistics) error { s[0] = newest; return nil }); err != nil {
			return err
		}
	}
}
