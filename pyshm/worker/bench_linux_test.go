package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// BenchmarkCall calls a function that returns its bytes, and beside it, in turns in the same
// run, does the same over a unix socket: with JSON, and with the bytes as msgpack has them, a
// header and the bytes. It copies them as often as the msgpack libraries of both languages, or
// less often, and parses nothing, so real programs are slower. It reports medians. x is how many
// times longer the socket takes. Machines are noisy: the ratios are more reliable than the
// times.
//
// For a call of nothing, the handover is a token to Python by one semaphore and back by
// another, and nothing else.
//
//	go test ./pyshm/worker -run '^$' -bench Call
func BenchmarkCall(b *testing.B) {
	py := testkit.Python(b)
	p := startPool(b, py, Options{Workers: 1, Arena: 128 << 20})
	socket := startSocket(b, py.Path)
	handover := startHandover(b, py.Path)
	ctx := context.Background()

	b.Run("nothing", func(b *testing.B) {
		besides(b, []contender{
			{"call-µs", func() error { _, err := p.Call(ctx, "nothing"); return err }},
			{"handover-µs", handover},
			{"msgpack-µs", func() error { return socket.echo(packed, nil) }},
			{"json-µs", func() error { return socket.echo(asJSON, nil) }},
		})
	})
	for _, size := range []int{1 << 10, 64 << 10, 1_200_000, 8 << 20} {
		data := make([]byte, size)
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			contenders := []contender{
				{"call-µs", func() error { return wantSize(p.Call(ctx, "same", data))(size) }},
				{"msgpack-µs", func() error { return socket.echo(packed, data) }},
			}
			if size <= 1_200_000 {
				contenders = append(contenders, contender{"json-µs", func() error { return socket.echo(asJSON, data) }})
			}
			besides(b, contenders)
		})
	}
	b.Run("array=8388608", func(b *testing.B) {
		err := p.Do(ctx, func(j *Job) error {
			a, err := NewArray[float32](j, 2<<20)
			if err != nil {
				return err
			}
			besides(b, []contender{{"call-µs", func() error { _, err := j.Call(ctx, "touch", a); return err }}})
			return nil
		})
		check(b, err)
	})
}

func wantSize(v any, err error) func(int) error {
	return func(size int) error {
		if data, ok := v.([]byte); err == nil && (!ok || len(data) != size) {
			return fmt.Errorf("%T came back", v)
		}
		return err
	}
}

// A contender is something to measure, and the unit of its median.
type contender struct {
	unit string
	run  func() error
}

// besides runs the contenders in turns, and reports their medians, and how many times longer
// than the first the others take.
func besides(b *testing.B, contenders []contender) {
	times := make([][]time.Duration, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			for range 10 {
				began := time.Now()
				if err := c.run(); err != nil {
					b.Fatal(c.unit, err)
				}
				times[i] = append(times[i], time.Since(began))
			}
		}
	}
	var first float64
	for i, c := range contenders {
		slices.Sort(times[i])
		median := float64(times[i][len(times[i])/2].Nanoseconds()) / 1000
		b.ReportMetric(median, c.unit)
		if i == 0 {
			first = median
		} else {
			b.ReportMetric(median/first, "x-"+c.unit[:len(c.unit)-len("-µs")])
		}
	}
	b.ReportMetric(0, "ns/op") // hides the time of the loop
}

// A codec writes and reads what goes over the socket.
type codec byte

const (
	asJSON codec = 'j'  // a list of numbers would take longer still: the bytes are base64
	packed codec = 0xc6 // msgpack's bin 32
)

// A socketWorker is a Python behind a unix socket.
type socketWorker struct{ net.Conn }

func startSocket(b *testing.B, python string) *socketWorker {
	path := filepath.Join(b.TempDir(), "socket")
	l := must(net.Listen("unix", path))(b)
	defer l.Close()
	run(b, python, "socket_echo.py", path)
	conn := must(l.Accept())(b)
	b.Cleanup(func() { conn.Close() })
	return &socketWorker{conn}
}

// run runs a program of testdata until the end of the benchmark.
func run(b *testing.B, python, file string, args ...string) {
	cmd := exec.Command(python, append([]string{"testdata/" + file}, args...)...)
	check(b, pyshm.WorkerEnv(cmd))
	cmd.Stderr = os.Stderr
	check(b, cmd.Start())
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
}

// echo sends a message and receives it again: codec and length, as msgpack has them, and the bytes.
func (s *socketWorker) echo(c codec, data []byte) error {
	body := data
	if c == asJSON {
		var err error
		if body, err = json.Marshal(map[string]any{"function": "echo", "args": []any{data}}); err != nil {
			return err
		}
	}
	head := binary.BigEndian.AppendUint32([]byte{byte(c)}, uint32(len(body)))
	if _, err := s.Write(append(head, body...)); err != nil {
		return err
	}
	if _, err := io.ReadFull(s, head); err != nil {
		return err
	}
	got := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(s, got); err != nil {
		return err
	}
	if c == asJSON {
		var reply struct{ Result []byte }
		if err := json.Unmarshal(got, &reply); err != nil {
			return err
		}
		got = reply.Result
	}
	if len(got) != len(data) {
		return fmt.Errorf("%d bytes came back, not %d", len(got), len(data))
	}
	return nil
}

// startHandover starts a Python that returns tokens.
func startHandover(b *testing.B, python string) func() error {
	ping := must(pyshm.CreateSemaphore(testkit.Name(b), 0))(b)
	pong := must(pyshm.CreateSemaphore(testkit.Name(b), 0))(b)
	for _, s := range []*pyshm.Semaphore{ping, pong} {
		b.Cleanup(func() { s.Unlink(); s.Close() })
	}
	run(b, python, "handover.py", ping.Name(), pong.Name())
	return func() error {
		if err := ping.Release(); err != nil {
			return err
		}
		return pong.Acquire(context.Background())
	}
}
