package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/pyshm-go/pyshm/format/npy"
)

// A summary describes the numbers of an array, as JSON.
type summary struct {
	Min  string   `json:"min,omitempty"` // as Python's repr prints it
	Max  string   `json:"max,omitempty"`
	Mean *float64 `json:"mean,omitempty"` // not of dates; not if it is infinite
	NaNs int      `json:"nans,omitempty"` // and NaTs, which Min, Max and Mean leave out
}

// text returns the summary as show prints it, or "" if there is none.
func (s summary) text() string {
	if s.Min == "" && s.NaNs == 0 {
		return ""
	}
	text := ""
	if s.Min != "" {
		text = fmt.Sprintf("min %s, max %s", s.Min, s.Max)
	}
	if s.Mean != nil {
		text += ", mean " + strconv.FormatFloat(*s.Mean, 'g', 6, 64)
	}
	if s.NaNs > 0 {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("nan %d", s.NaNs)
	}
	return text
}

// summarise reads all elements of an array from one to another, in C order or, if it reads
// all, in memory order. An array of elements that are no numbers has an empty summary.
func summarise(a *array, first, end int) (summary, error) {
	d := a.header.Dtype
	switch kind := d.Kind(); {
	case kind == npy.KindBool, kind == npy.KindUint:
		return summariseAs(a, first, end, word, func(uint64) bool { return false })
	case kind == npy.KindInt:
		return summariseAs(a, first, end, signed, func(int64) bool { return false })
	case kind == npy.KindDatetime, kind == npy.KindTimedelta:
		s, err := summariseAs(a, first, end, signed, func(v int64) bool { return v == math.MinInt64 })
		s.Mean = nil
		return s, err
	case kind == npy.KindFloat && d.Size() <= 8:
		return summariseAs(a, first, end, floatOf, func(v float64) bool { return v != v })
	}
	return summary{}, nil
}

func summariseAs[T int64 | uint64 | float64](a *array, first, end int, read func([]byte) T, isNaN func(T) bool) (summary, error) {
	var s summary
	var least, most []byte // elements
	var low, high T
	var sum mean
	size := a.header.Dtype.Size()
	err := a.pieces(first, end, func(b []byte) {
		for ; len(b) >= size; b = b[size:] {
			v := read(b[:size])
			switch {
			case isNaN(v):
				s.NaNs++
				continue
			case least == nil:
				least, most, low, high = append(least, b[:size]...), append(most, b[:size]...), v, v
			case v < low:
				low = v
				copy(least, b)
			case v > high:
				high = v
				copy(most, b)
			}
			sum.add(float64(v))
		}
	})
	if err != nil || least == nil {
		return s, err
	}
	s.Min, _ = elementText(a.header.Dtype.Native(), least) // all numbers have a text
	s.Max, _ = elementText(a.header.Dtype.Native(), most)
	if m := sum.value(); !math.IsInf(m, 0) && m == m {
		s.Mean = &m
	}
	return s, nil
}

// pieces passes elements to f, many at a time, in this machine's byte order.
func (a *array) pieces(first, end int, f func(b []byte)) error {
	size := a.header.Dtype.Size()
	all, err := a.header.Len()
	if err != nil {
		return err
	}
	if whole := first == 0 && end == all; a.header.Fortran && !whole {
		for n := first; n < end; n++ { // not side by side
			b, _, err := a.element(n)
			if err != nil {
				return err
			}
			f(b)
		}
		return nil
	}
	buffer := make([]byte, max(1, (64<<10)/size)*size)
	for at, last := int64(a.offset+first*size), int64(a.offset+end*size); at < last; {
		b := buffer[:min(int64(len(buffer)), last-at)]
		if _, err := a.m.ReadAt(b, at); err != nil && err != io.EOF {
			return err
		}
		at += int64(len(b))
		if a.header.Dtype.Swapped() {
			for i := 0; i < len(b); i += size {
				if err := a.header.Dtype.Swap(b[i : i+size]); err != nil {
					return err
				}
			}
		}
		f(b)
	}
	return nil
}

func floatOf(b []byte) float64 {
	switch len(b) {
	case 2:
		return float64(npy.Float16(binary.NativeEndian.Uint16(b)).Float32())
	case 4:
		return float64(math.Float32frombits(binary.NativeEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.NativeEndian.Uint64(b))
}

// A mean adds numbers as Neumaier does: what rounding loses is added in the end.
type mean struct {
	sum, lost float64
	n         int
}

func (m *mean) add(v float64) {
	m.n++
	sum := m.sum + v
	if math.Abs(m.sum) >= math.Abs(v) {
		m.lost += (m.sum - sum) + v
	} else {
		m.lost += (v - sum) + m.sum
	}
	m.sum = sum
}

func (m *mean) value() float64 {
	if math.IsInf(m.sum, 0) {
		return m.sum / float64(m.n)
	}
	return (m.sum + m.lost) / float64(m.n)
}
