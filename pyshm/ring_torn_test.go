package pyshm_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func init() { testkit.Roles["ring writer"] = writeRing }

// writeRing publishes frames, in which each word is the frame's number, until the end.
func writeRing(args []string, end <-chan string) error {
	r, err := pyshm.AttachRing[uint64](args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for n := uint64(0); ; {
		if n, err = publishAfter(r, n); err != nil {
			return err
		}
		select {
		case <-end:
			return nil
		default:
		}
	}
}

// publishAfter publishes a frame in which each word is the frame's number. It follows frame
// n, or if that is 0 the newest frame.
func publishAfter(r *pyshm.Ring[uint64], n uint64) (uint64, error) {
	if n == 0 {
		var err error
		if n, err = r.Newest(make([]uint64, r.Len())); err != nil && !errors.Is(err, pyshm.ErrNoFrame) {
			return 0, err
		}
	}
	got, err := r.Publish(fill(n + 1))
	if err == nil && got != n+1 {
		err = fmt.Errorf("frame %d follows %d", got, n)
	}
	return got, err
}

// A ringReader checks every word of the frames that it reads.
type ringReader struct {
	ring  *pyshm.Ring[uint64]
	frame []uint64
	n     uint64 // of the newest frame that it has seen
	tally soak.Tally
}

func newRingReader(r *pyshm.Ring[uint64]) *ringReader {
	return &ringReader{ring: r, frame: make([]uint64, r.Len())}
}

// read reads the newest frame once, and fails the test if the frame is not whole, or older
// than the frame before.
func (r *ringReader) read(t *testing.T) {
	n, err := r.ring.Newest(r.frame)
	switch {
	case errors.Is(err, pyshm.ErrOutrun), errors.Is(err, pyshm.ErrNoFrame) && r.n == 0:
		r.tally.Add(errors.Unwrap(err).Error(), 1)
		return
	case err != nil:
		t.Fatal(err)
	}
	for i, word := range r.frame {
		if word != n {
			t.Fatalf("word %d of frame %d is %d", i, n, word)
		}
	}
	if n < r.n {
		t.Fatalf("frame %d comes after %d", n, r.n)
	}
	r.tally.Add("read", 1)
	if n > r.n {
		r.tally.Add("frames", 1)
	}
	r.n = n
}

// TestRingTorn reads frames of a writer that never pauses, in another process, and in a
// goroutine that uses the same handle.
func TestRingTorn(t *testing.T) {
	testkit.NeedKeptNames(t)
	for _, slots := range []int{2, 3, 4} {
		for _, inProcess := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d slots, in process %v", slots, inProcess), func(t *testing.T) {
				r := createRing[uint64](t, slots, 512)
				if inProcess {
					done, ended := make(chan struct{}), make(chan struct{})
					defer func() { close(done); <-ended }()
					go func() {
						defer close(ended)
						for n := uint64(0); running(done); {
							var err error
							if n, err = publishAfter(r, n); err != nil {
								t.Error(err)
								return
							}
						}
					}()
				} else {
					c := testkit.StartChild(t, "ring writer", r.Name())
					c.Line(t)
					defer c.End(t)
				}
				reader := newRingReader(r)
				seen := time.Now()
				for frames := 0; frames < soak.Length(2000, 1_000_000); {
					before := reader.n
					if reader.read(t); reader.n > before {
						frames++
						seen = time.Now()
					} else if runtime.Gosched(); time.Since(seen) > tooLong {
						t.Fatalf("no frame after %d in %v: %v", reader.n, tooLong, &reader.tally)
					}
				}
				t.Log(&reader.tally)
			})
		}
	}
}

func running(done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// TestRingWriterKilled kills writers at random points. The newest frame is whole, and the
// next writer goes on counting.
func TestRingWriterKilled(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := soak.Rand(soak.Seed(t), 0)
	ring := createRing[uint64](t, 3, 4096)
	words, err := pyshm.View[uint64](ring.SharedMemory(), 0, ring.SharedMemory().Size()/8)
	noError(t, err)
	step := 4096 + 2
	first := len(words) - 3*step
	reader := newRingReader(ring)
	for range soak.Length(12, 400) {
		c := testkit.StartChild(t, "ring writer", ring.Name())
		c.Line(t)
		for end := time.Now().Add(time.Duration(r.IntN(3000)) * time.Microsecond); time.Now().Before(end); {
			reader.read(t)
		}
		c.Kill(t)
		reader.tally.Add("kills", 1)
		reader.read(t)
		for slot := range 3 {
			if words[first+slot*step] != words[first+slot*step+1] {
				reader.tally.Add("slots left half written", 1)
			}
		}
		n, err := publishAfter(ring, 0)
		if err != nil || n <= reader.n {
			t.Fatalf("after a kill: %d, %v", n, err)
		}
		reader.read(t)
	}
	t.Log(&reader.tally)
}
