package main

// Statistics describe one frame. Python sees a record with the same names.
type Statistics struct {
	Frame     uint64     `numpy:"frame"` // its number in the ring
	Mean      float64    `numpy:"mean"`
	Min       float32    `numpy:"min"`
	Max       float32    `numpy:"max"`
	Histogram [16]uint32 `numpy:"histogram"` // of values from 0 to 1
}

func measure(n uint64, frame []float32) Statistics {
	s := Statistics{Frame: n, Min: frame[0], Max: frame[0]}
	sum := 0.0
	for _, v := range frame {
		sum += float64(v)
		s.Min, s.Max = min(s.Min, v), max(s.Max, v)
		s.Histogram[bin(v)]++
	}
	s.Mean = sum / float64(len(frame))
	return s
}

// bin returns the bin of the histogram for any value, also for NaN.
func bin(v float32) int {
	switch {
	case v >= 1:
		return 15
	case v > 0:
		return int(v * 16)
	default:
		return 0
	}
}
