// A service blurs pictures: a PNG comes by HTTP, Go decodes it into memory that it shares with
// Python, numpy blurs the pixels in place, and Go encodes them from there. Python workers may
// crash at any time, and no request fails.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/worker"
)

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(address); err != nil {
		log.Fatal(err)
	}
}

func run(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pool, err := worker.Start(ctx, func() *exec.Cmd {
		return exec.Command("python3", "examples/service/worker.py")
	}, worker.Options{Workers: 2, Deadline: 10 * time.Second})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, pool.Close(ctx))
	}
	fmt.Printf("Go: send a PNG to http://%v/blur\n", l.Addr())

	http.HandleFunc("POST /blur", func(w http.ResponseWriter, r *http.Request) { serveBlur(pool, w, r) })
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { writeMetrics(w, pool.Stats()) })
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err = <-failed:
	case <-ctx.Done(): // SIGTERM or Ctrl-C: complete the requests, then end the workers
	}
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending), pool.Close(ending))
}

// serveBlur replies to a picture with the blurred picture.
func serveBlur(pool *worker.Pool, w http.ResponseWriter, r *http.Request) {
	picture, err := decode(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	blurred, err := blur(r.Context(), pool, picture)
	switch {
	case errors.Is(err, worker.ErrBusy):
		http.Error(w, "too many pictures at once", http.StatusServiceUnavailable)
	case err != nil:
		log.Print(err)
		http.Error(w, "the picture could not be blurred", http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(blurred) // fails only if the client is gone
	}
}

// decode reads a picture, if it has no more pixels than the service has memory for.
func decode(r io.Reader) (image.Image, error) {
	var head bytes.Buffer
	config, err := png.DecodeConfig(io.TeeReader(r, &head))
	if err != nil {
		return nil, err
	}
	if config.Width > 1<<24/config.Height {
		return nil, fmt.Errorf("%d x %d pixels are too many", config.Width, config.Height)
	}
	return png.Decode(io.MultiReader(&head, r))
}

// blur has numpy blur a picture, and returns it as a PNG. No byte of the pixels is copied.
func blur(ctx context.Context, pool *worker.Pool, picture image.Image) ([]byte, error) {
	var encoded bytes.Buffer
	size := picture.Bounds().Size()
	ctx = worker.WithRetry(ctx, 20) // a crash changes nothing in the picture
	err := pool.Do(ctx, func(j *worker.Job) error {
		pixels, err := worker.NewArray[uint8](j, size.Y, size.X)
		if err != nil {
			return err
		}
		if err := pixels.Guard(func(shared []uint8) error {
			draw.Draw(gray(shared, size), image.Rectangle{Max: size}, picture, picture.Bounds().Min, draw.Src)
			return nil
		}); err != nil {
			return err
		}
		if _, err := j.Call(ctx, "blur", pixels); err != nil {
			return err
		}
		return pixels.Guard(func(shared []uint8) error {
			encoded.Reset()
			return png.Encode(&encoded, gray(shared, size))
		})
	})
	return encoded.Bytes(), err
}

// gray returns a picture whose pixels are in shared memory.
func gray(shared []uint8, size image.Point) *image.Gray {
	return &image.Gray{Pix: shared, Stride: size.X, Rect: image.Rectangle{Max: size}}
}

// writeMetrics writes the pool's figures as Prometheus reads them.
func writeMetrics(w io.Writer, s worker.Stats) {
	fmt.Fprintf(w, "worker_up %d\nworker_busy %d\nworker_queue_length %d\n", s.Workers, s.Busy, s.Queued)
	fmt.Fprintf(w, "worker_calls_total %d\nworker_exceptions_total %d\nworker_crashes_total %d\n", s.Calls, s.Exceptions, s.Crashes)
	fmt.Fprintf(w, "worker_restarts_total %d\nworker_refused_total %d\n", s.Restarts, s.Refused)
	for quantile, d := range map[string]time.Duration{"0.5": s.P50, "0.9": s.P90, "0.99": s.P99} {
		fmt.Fprintf(w, "worker_call_seconds{quantile=%q} %g\n", quantile, d.Seconds())
	}
}
