package pyshm_test

import (
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func BenchmarkAttachList(b *testing.B) {
	for _, length := range []int{10, 100_000} {
		l, err := pyshm.CreateListOf(testkit.Name(b), make([]int64, length))
		if err != nil {
			b.Fatal(err)
		}
		defer l.Unlink()
		defer l.Close()
		b.Run(fmt.Sprintf("%d items", length), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pyshm.AttachList(l.Name()); err != nil { // not closed
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%d items and Close", length), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l, err := pyshm.AttachList(l.Name())
				if err != nil {
					b.Fatal(err)
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCreateList(b *testing.B) {
	const length = 100_000
	ints, mixed := make([]int64, length), make([]any, length)
	for i := range mixed {
		ints[i] = int64(i)
		mixed[i] = []any{i, float64(i), "item number", nil}[i%4]
	}
	create := func(b *testing.B, create func(name string) (*pyshm.ShareableList, error)) {
		b.ReportAllocs()
		name := testkit.Name(b)
		for b.Loop() {
			l, err := create(name)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(l.SharedMemory().Size()))
			l.Close()
			l.Unlink()
		}
	}
	b.Run("1e5 int64", func(b *testing.B) {
		create(b, func(name string) (*pyshm.ShareableList, error) { return pyshm.CreateListOf(name, ints) })
	})
	b.Run("1e5 any", func(b *testing.B) {
		create(b, func(name string) (*pyshm.ShareableList, error) { return pyshm.CreateList(name, mixed) })
	})
}
