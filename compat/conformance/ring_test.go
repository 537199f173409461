package conformance

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

//go:embed ring_numpy.py
var ringNumpy string

const ringWords = 512 // in a frame

// forEachRingPython is forEachSharedNumpy with the functions of ring_numpy.py, for each way
// in which Python uses a ring: "numpy" and "pyshm_attach".
func forEachRingPython(t *testing.T, f func(t *testing.T, p *compat.Peer, api string)) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "ring_numpy.py"), []byte(ringNumpy), 0o600))
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		check(t, p.Exec("import sys; sys.path[:0] = ["+pyRepr(dir)+", "+pyRepr(testkit.HelperDir(t))+"]\nimport ring_numpy, pyshm_attach, numpy"))
		for _, api := range []string{"numpy", "pyshm_attach"} {
			t.Run(api, func(t *testing.T) { f(t, p, api) })
		}
	})
}

// wantWholeFrame reads the newest frame, and fails the test unless each word is its number.
func wantWholeFrame(t *testing.T, r *pyshm.Ring[uint64], dst []uint64) uint64 {
	t.Helper()
	n, err := r.Newest(dst)
	if errors.Is(err, pyshm.ErrNoFrame) || errors.Is(err, pyshm.ErrOutrun) {
		return 0
	}
	check(t, err)
	for i, word := range dst {
		if word != n {
			t.Fatalf("word %d of frame %d is %d", i, n, word)
		}
	}
	return n
}

// TestRingOfPython has Python make rings and write frames, which Go reads.
func TestRingOfPython(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachRingPython(t, func(t *testing.T, p *compat.Peer, api string) {
		testkit.Covers(t, p.Interpreter(), covered.Rings)
		name := newName(t)
		must(p.Eval(fmt.Sprintf("ring_numpy.create(%q, %q, 3, %d)", api, name, ringWords)))(t)
		r := must(pyshm.AttachRing[uint64](name, pyshm.ReadOnly()))(t)
		defer r.Close()
		count := soak.Length(20_000, 1_000_000)
		written := make(chan error)
		go func() {
			for range 10 { // restarted: each goes on where the one before stopped
				if _, err := p.Eval(fmt.Sprintf("ring_numpy.write(ring_numpy.attach(%q, %q), %d)", api, name, count/10)); err != nil {
					written <- err
				}
			}
			close(written)
		}()
		dst := make([]uint64, ringWords)
		last, seen := uint64(0), 0
		for writing := true; writing; {
			select {
			case err, failed := <-written:
				check(t, err)
				writing = failed
			default:
			}
			n := wantWholeFrame(t, r, dst)
			if n != 0 && n < last {
				t.Fatalf("frame %d comes after %d", n, last)
			}
			if n > last {
				seen++
				last = n
			}
		}
		wantEqual(t, "frames", int(last), count)
		wantEqual(t, "frames in DescribeRing", int(must(pyshm.DescribeRing(r.SharedMemory()))(t).Newest), count)
		t.Logf("%d of %d frames seen", seen, count)
	})
}

// TestRingOfGo has Go make rings and write frames with short pauses, which Python reads.
func TestRingOfGo(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachRingPython(t, func(t *testing.T, p *compat.Peer, api string) {
		r := must(pyshm.CreateRing[uint64](newName(t), 4, []int{ringWords}))(t)
		defer r.Close()
		done, stopped := make(chan struct{}), make(chan error, 1)
		go func() { stopped <- publishNumbers(r, done) }()
		last, seen := 0, 0
		for last < soak.Length(5000, 1_000_000) {
			const part = 200
			got := readRing(t, p, api, r.Name(), part)
			wantEqual(t, "wrong frames", got[0], any(int64(0)))
			last = int(got[2].(int64))
			seen += part
		}
		t.Logf("%d of %d frames seen", seen, last)
		close(done)
		check(t, <-stopped)
	})
}

// readRing returns how many of the frames were wrong, how often Python was outrun, and
// the number of the last frame.
func readRing(t *testing.T, p *compat.Peer, api, name string, frames int) []any {
	t.Helper()
	return must(p.Eval(fmt.Sprintf("ring_numpy.read(ring_numpy.attach(%q, %q), %d)", api, name, frames)))(t).([]any)
}

// publishNumbers publishes frames whose words are all the frame's number.
func publishNumbers(r *pyshm.Ring[uint64], done <-chan struct{}) error {
	for n := uint64(1); ; n++ {
		select {
		case <-done:
			return nil
		default:
		}
		// Without a pause Python would read hardly any frame, and a sleep is too long.
		for published := time.Now(); time.Since(published) < 20*time.Microsecond; {
			continue
		}
		_, err := r.Publish(func(frame []uint64) error {
			for i := range frame {
				frame[i] = n
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// TestRingPythonKilled kills Pythons that write. The newest frame is whole, to Go and to
// Python, and the next writer, of either, goes on counting.
func TestRingPythonKilled(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachRingPython(t, func(t *testing.T, p *compat.Peer, api string) {
		r := must(pyshm.CreateRing[uint64](newName(t), 3, []int{ringWords}))(t)
		defer r.Close()
		random := soak.Rand(soak.Seed(t), 0)
		dst := make([]uint64, ringWords)
		last := uint64(0)
		for range soak.Length(5, 400) {
			wait := time.Duration(random.Int64N(int64(3 * time.Millisecond)))
			signal := must(p.Eval(fmt.Sprintf("ring_numpy.kill(ring_numpy.attach(%q, %q), %v)", api, r.Name(), wait.Seconds())))(t)
			wantEqual(t, "signal", signal, any(int64(9)))
			n := wantWholeFrame(t, r, dst)
			if n < last {
				t.Fatalf("frame %d after %d", n, last)
			}
			if n > 0 {
				got := readRing(t, p, api, r.Name(), 1)
				wantEqual(t, "Python reads", fmt.Sprint(got), fmt.Sprint([]any{0, 0, n}))
			}
			next, err := r.Publish(func(frame []uint64) error {
				for i := range frame {
					frame[i] = n + 1
				}
				return nil
			})
			check(t, err)
			wantEqual(t, "the number after a kill", next, n+1)
			last = next
		}
	})
}

// TestRingSignals has each side wake the other by a semaphore, and without one.
func TestRingSignals(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachRingPython(t, func(t *testing.T, p *compat.Peer, api string) {
		if api == "numpy" {
			t.Skip("numpy alone does not wait")
		}
		for _, signalled := range []bool{true, false} {
			r := must(pyshm.CreateRing[uint64](newName(t), 3, []int{ringWords}))(t)
			defer r.Close()
			check(t, p.Exec(fmt.Sprintf("ring = pyshm_attach.attach_ring(%q)", r.Name())))
			if signalled {
				for _, user := range []string{"signal_to", "wait_on"} {
					s := must(pyshm.CreateBoundedSemaphore(testkit.Name(t), 1))(t)
					defer s.Unlink()
					defer s.Close()
					check(t, p.Exec(fmt.Sprintf("ring.%s(pyshm_attach.attach_semaphore(%q, bound=1))", user, s.Name())))
					if user == "signal_to" {
						r.WaitOn(s)
					} else {
						r.SignalTo(s)
					}
				}
			}
			dst := make([]uint64, ringWords)
			for n := uint64(1); n < 20; n += 2 {
				time.AfterFunc(time.Millisecond, func() { r.Publish(func([]uint64) error { return nil }) })
				wantEqual(t, "Python waits for", must(p.Eval(fmt.Sprintf("ring.next(%d, 30)[0]", n-1)))(t), any(int64(n)))
				published := make(chan error, 1)
				go func() {
					_, err := p.Eval(fmt.Sprintf("ring.publish(numpy.full(%d, %d))", ringWords, n+1))
					published <- err
				}()
				got := must(r.Next(testkit.Within(t, 30*time.Second), n, dst))(t)
				wantEqual(t, "Go waits for", got, n+1)
				wantEqual(t, "the last word", dst[ringWords-1], n+1)
				check(t, <-published)
			}
			_, err := p.Eval("ring.next(20, 0.01)")
			testkit.WantPythonError(t, err, "TimeoutError", "20")
		}
	})
}
