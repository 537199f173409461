// Package rounds measures several sides in turns, so that what else the machine does
// disturbs all of them.
package rounds

import (
	"fmt"
	"slices"
	"time"
)

// A Side does an operation n times, and returns how long that took.
type Side func(n int) (time.Duration, error)

// Alternate measures all sides in each round, and returns the nanoseconds of one
// operation for each side and round. A side does at most that many operations in a
// round, unless most is 0. The round that finds out how many operations fill the budget
// does not count.
func Alternate(sides []Side, rounds, most int, budget time.Duration) ([][]float64, error) {
	counts := make([]int, len(sides))
	for i, s := range sides {
		n := 1
		for {
			took, err := s(n)
			if err != nil {
				return nil, err
			}
			if took >= budget || n == most {
				break
			}
			n *= 2
			if most > 0 {
				n = min(n, most)
			}
		}
		counts[i] = n
	}
	times := make([][]float64, len(sides))
	for range max(rounds, 1) {
		for i, s := range sides {
			took, err := s(counts[i])
			if err != nil {
				return nil, err
			}
			times[i] = append(times[i], float64(took)/float64(counts[i]))
		}
	}
	return times, nil
}

// A Spread describes the figures of all rounds.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"lowerQuartile"`
	High   float64 `json:"upperQuartile"`
}

// SpreadOf returns the spread of at least one figure.
func SpreadOf(figures []float64) Spread {
	f := slices.Sorted(slices.Values(figures))
	at := func(quarter int) float64 { return f[(len(f)-1)*quarter/4] }
	return Spread{Median: at(2), Low: at(1), High: at(3)}
}

// Ratios returns the spread of a/b in each round.
func Ratios(a, b []float64) Spread {
	var rs []float64
	for i := range a {
		rs = append(rs, a[i]/b[i])
	}
	return SpreadOf(rs)
}

// Time returns the median of nanoseconds in the unit that fits it, and the spread.
func (s Spread) Time() string {
	return fmt.Sprintf("%s (%.0f %%)", Time(s.Median), 100*(s.High-s.Low)/s.Median)
}

// Per returns the figures for each of n parts.
func (s Spread) Per(n float64) Spread { return Spread{s.Median / n, s.Low / n, s.High / n} }

// Time returns nanoseconds in the unit that fits them.
func Time(ns float64) string {
	unit := "ns"
	for _, larger := range []string{"µs", "ms", "s"} {
		if ns < 999.5 {
			break
		}
		unit, ns = larger, ns/1000
	}
	return fmt.Sprintf("%.3g %s", ns, unit)
}

// Count returns a large number with the prefix that fits it: 1k, 10M.
func Count(v float64) string {
	v, prefix := prefixed(v)
	return fmt.Sprintf("%.3g%s", v, prefix)
}

// Bytes returns a number of bytes in the unit that fits it.
func Bytes(v float64) string {
	v, prefix := prefixed(v)
	return fmt.Sprintf("%.3g %sB", v, prefix)
}

func prefixed(v float64) (float64, string) {
	prefix := ""
	for _, larger := range []string{"k", "M", "G"} {
		if v < 999.5 {
			break
		}
		prefix, v = larger, v/1000
	}
	return v, prefix
}
