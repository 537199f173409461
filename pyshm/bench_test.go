package pyshm

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func benchSegment(b *testing.B, size int) *SharedMemory {
	b.Helper()
	m, err := Create(testkit.Name(b), size)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		m.Close()
		m.Unlink()
	})
	return m
}

// guardedInt is built like the methods of a list.
type guardedInt struct {
	m    *SharedMemory
	data []byte
}

func (g *guardedInt) Int(i int) (v int64, err error) {
	if g.m.closed.Load() {
		return 0, g.m.errClosed("int")
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = g.m.failed("int", err, recover())
		}
	}()
	return int64(binary.NativeEndian.Uint64(g.data[8*i:])), nil
}

func BenchmarkGuardedGet(b *testing.B) {
	m := benchSegment(b, 4096)
	g := &guardedInt{m, m.Bytes()}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := g.Int(i % 512); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAt(b *testing.B)  { benchmarkCopy(b, (*SharedMemory).ReadAt) }
func BenchmarkWriteAt(b *testing.B) { benchmarkCopy(b, (*SharedMemory).WriteAt) }

func benchmarkCopy(b *testing.B, call func(m *SharedMemory, p []byte, off int64) (int, error)) {
	for _, size := range []int{8, 4 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := benchSegment(b, size)
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(m, p, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAttachClose(b *testing.B) {
	m := benchSegment(b, 4096)
	b.ReportAllocs()
	var closing time.Duration
	for b.Loop() {
		other, err := Attach(m.Name())
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := other.Close(); err != nil {
			b.Fatal(err)
		}
		closing += time.Since(start)
	}
	b.ReportMetric(float64(closing.Nanoseconds())/float64(b.N), "ns/close")
}

func BenchmarkCreateUnlink(b *testing.B) {
	name := "pyshm_tcore_" + rand.Text()[:12]
	for _, size := range []int{4 << 10, 16 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := Create(name, size)
				if err != nil {
					b.Fatal(err)
				}
				m.Close()
				m.Unlink()
			}
		})
	}
}
