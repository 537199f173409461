//go:build unix

package conformance

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

//go:embed frame_bench.py
var frameBench string

const (
	frameBytes  = 1920 * 1080 * 3
	frameStride = 4096 // of the bytes that both sides change and check
	frameBlock  = 10   // rounds of one way, before it is another way's turn
)

// BenchmarkFrame passes a frame of full HD, 6.2 MB, from Python to Go and back. Python and
// Go change a byte in each page of the frame. The metrics are medians of the rounds, by
// the way that the frame takes:
//
//   - inplace: it lies in a shared array, and is not copied
//   - copied: Python copies it into the array, Go changes it there, Python copies it out
//   - copied4: Go, too, copies it out of the array and into it
//   - socketinto: raw bytes over a Unix socket, which Python receives with recv_into
//   - socket: the same, but Python receives and joins pieces of 64 KiB
//   - msgpack: a msgpack map over a Unix socket
//
// The Python is the first one found; $PYSHM_PYTHONS chooses another. It uses numpy if it
// has it. The last way needs its module msgpack.
func BenchmarkFrame(b *testing.B) {
	p := benchPeer(b)
	a := must(pyshm.CreateArray[uint8](testkit.Name(b), []int{1080, 1920, 3}))(b)
	b.Cleanup(func() { a.Unlink(); a.Close() })
	toGo, toPython := benchSemaphore(b), benchSemaphore(b)
	path := filepath.Join(b.TempDir(), "socket")
	listener := must(net.Listen("unix", path))(b)
	defer listener.Close()
	check(b, p.Exec(frameBench))
	check(b, p.Exec(fmt.Sprintf("begin(%q, %d, %q, %q, %q)", a.Name(), a.Info().Offset, toGo.Name(), toPython.Name(), path)))
	connection := must(listener.Accept())(b)
	defer connection.Close()

	own := make([]byte, frameBytes)
	ways := map[string]func() error{
		"inplace": func() error { return answerShared(toGo, toPython, func() error { return a.Guard(changeFrame) }) },
		"copied4": func() error {
			return answerShared(toGo, toPython, func() error {
				if _, err := a.CopyTo(own); err != nil {
					return err
				}
				if err := changeFrame(own); err != nil {
					return err
				}
				_, err := a.CopyFrom(own)
				return err
			})
		},
		"socket":  func() error { return answerSocket(connection, own) },
		"msgpack": func() error { return answerMsgpack(connection, own) },
	}
	ways["copied"], ways["socketinto"] = ways["inplace"], ways["socket"] // Python makes the difference
	order := []string{"inplace", "copied", "copied4", "socketinto", "socket"}
	if eval[bool](b, p, "msgpack is not None") {
		order = append(order, "msgpack")
	} else {
		b.Logf("without msgpack, which this Python does not have: $PYSHM_PYTHONS chooses another")
	}
	for b.Loop() {
		for _, way := range order {
			passFrames(b, p, way, ways[way])
		}
	}
	medians := map[string]float64{}
	for _, way := range order {
		medians[way] = eval[float64](b, p, fmt.Sprintf("statistics.median(times[%q])", way)) * 1e6
		b.ReportMetric(medians[way], way+"-µs")
	}
	for _, ratio := range []string{"socketinto/copied", "socket/copied", "msgpack/copied", "socketinto/inplace", "socket/inplace"} {
		slow, fast, _ := strings.Cut(ratio, "/")
		if medians[slow] > 0 {
			b.ReportMetric(medians[slow]/medians[fast], ratio)
		}
	}
	b.ReportMetric(0, "ns/op")
	check(b, p.Exec("end()"))
}

// passFrames passes the frames of a block in one way.
func passFrames(b *testing.B, p *compat.Peer, way string, answer func() error) {
	b.Helper()
	done := later(p, fmt.Sprintf("run(%q, %d)", way, frameBlock))
	for range frameBlock {
		check(b, answer())
	}
	check(b, <-done)
}

// changeFrame adds 1 to a byte of each page.
func changeFrame(frame []byte) error {
	for i := 0; i < len(frame); i += frameStride {
		frame[i]++
	}
	return nil
}

func answerShared(toGo, toPython *pyshm.Semaphore, work func() error) error {
	if err := toGo.Acquire(context.Background()); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	return toPython.Release()
}

func answerSocket(c net.Conn, own []byte) error {
	if _, err := io.ReadFull(c, own); err != nil {
		return err
	}
	if err := changeFrame(own); err != nil {
		return err
	}
	_, err := c.Write(own)
	return err
}

// answerMsgpack reads a message of which only the bytes vary, in the least time that a
// decoder could take.
func answerMsgpack(c net.Conn, own []byte) error {
	const head = "\x83\xa5dtype\xa3|u1\xa5shape\x93\xcd\x048\xcd\x07\x80\x03\xa5frame\xc6"
	message := binary.BigEndian.AppendUint32([]byte(head), frameBytes)
	got := make([]byte, len(message))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != string(message) {
		return fmt.Errorf("a message that begins with %q", got)
	}
	if _, err := io.ReadFull(c, own); err != nil {
		return err
	}
	if err := changeFrame(own); err != nil {
		return err
	}
	_, err := c.Write(append(message, own...))
	return err
}
