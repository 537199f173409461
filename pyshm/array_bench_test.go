package pyshm_test

import (
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

const benchLen = 1 << 12

// BenchmarkElements adds up the elements of an array. The nanoseconds are for one element.
func BenchmarkElements(b *testing.B) {
	a := createArray[float64](b, []int{benchLen / 64, 64})
	shared, err := a.Slice()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Go slice", func(b *testing.B) { benchmarkSlice(b, make([]float64, benchLen)) })
	b.Run("Slice", func(b *testing.B) { benchmarkSlice(b, shared) })
	b.Run("Guard", func(b *testing.B) {
		benchmarkAll(b, func() (sum float64, err error) {
			err = a.Guard(func(all []float64) error { sum = addUp(all); return nil })
			return sum, err
		})
	})
	b.Run("Rows", func(b *testing.B) {
		benchmarkAll(b, func() (sum float64, err error) {
			err = a.SharedMemory().Guard(func() error {
				for _, row := range a.Rows() {
					sum += addUp(row)
				}
				return nil
			})
			return sum, err
		})
	})
	b.Run("CopyTo", func(b *testing.B) {
		dst := make([]float64, benchLen)
		benchmarkAll(b, func() (float64, error) { _, err := a.CopyTo(dst); return 0, err })
	})
	b.Run("At", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := a.At(i/64%64, i%64); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Set", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if err := a.Set(1, i/64%64, i%64); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkSlice(b *testing.B, all []float64) {
	benchmarkAll(b, func() (float64, error) { return addUp(all), nil })
}

//go:noinline
func addUp(all []float64) (sum float64) {
	for _, v := range all {
		sum += v
	}
	return sum
}

func benchmarkAll(b *testing.B, f func() (float64, error)) {
	for b.Loop() {
		if sum, err := f(); err != nil || sum != 0 && sum != benchLen {
			b.Fatal(sum, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchLen, "ns/element")
}

// BenchmarkAttachArray compares with Attach of the same segment. AttachArray does not
// touch the mapping, so the first use of an element pays for the first page fault.
func BenchmarkAttachArray(b *testing.B) {
	plain := createArray[float64](b, []int{480, 640})
	records := createArray[tick](b, []int{1000})
	for _, of := range []struct {
		name   string
		attach func() (shared, error)
	}{
		{"Attach", func() (shared, error) { return pyshm.Attach(plain.Name()) }},
		{"Attach and ReadAt", func() (shared, error) { // with the first page fault
			m, err := pyshm.Attach(plain.Name())
			if err == nil {
				_, err = m.ReadAt(make([]byte, 8), 0)
			}
			return m, err
		}},
		{"AttachArray", func() (shared, error) { return pyshm.AttachArray[float64](plain.Name()) }},
		{"AttachArray of records", func() (shared, error) { return pyshm.AttachArray[tick](records.Name()) }},
	} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h, err := of.attach()
				if err != nil {
					b.Fatal(err)
				}
				if err := h.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
