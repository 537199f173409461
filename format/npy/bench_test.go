package npy_test

import (
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

func BenchmarkParseHeader(b *testing.B) {
	for name, v := range map[string]int{"plain": 0, "record": 10} {
		header := v1(vectors[v].text + "\n")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := npy.ParseHeader(header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDtypeOf(b *testing.B) {
	for b.Loop() {
		if _, err := npy.DtypeOf[Tick](); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSwap(b *testing.B) {
	elements := make([]byte, 1<<20/24*24)
	for _, dtype := range []string{">f8", ">f4", ">f2", "[('a', '>f8'), ('b', '>i4'), ('c', '<i4'), ('d', '>i8')]"} {
		d := parse(b, dtype)
		b.Run(dtype[:3], func(b *testing.B) {
			b.SetBytes(int64(len(elements)))
			for b.Loop() {
				if err := d.Swap(elements); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
