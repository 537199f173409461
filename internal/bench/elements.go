//go:build linux

package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
	"github.com/pyshm-go/pyshm/pyshm"
)

// readers reads a list in one goroutine and in two. The CPU time of a read should stay the
// same, and the time by the clock should be halved.
func readers(c clock) comparison {
	start := func(b *bench) (one, two rounds.Side, end func(), err error) {
		l, err := pyshm.CreateListOf("pyshm_bench_*", make([]int64, 1000))
		if err != nil {
			return nil, nil, nil, err
		}
		read := func(n int) (err error) {
			for i := range n {
				if _, err = l.Int(i % 1000); err != nil {
					return err
				}
			}
			return nil
		}
		by := func(goroutines int) rounds.Side {
			return inGo(c, func(n int) error {
				errs := make([]error, goroutines)
				var wg sync.WaitGroup
				for g := range goroutines {
					wg.Go(func() { errs[g] = read(n / goroutines) })
				}
				wg.Wait()
				return errs[0]
			})
		}
		return by(1), by(2), func() { l.Close(); l.Unlink() }, nil
	}
	one := comparison{name: "get int by goroutines", first: "1 goroutine", second: "2 goroutines", start: start}
	switch {
	case c.cpu:
		one.least = 1.85 / 2
	case runtime.GOMAXPROCS(0) > 1:
		one.least = 1.85
	}
	return one
}

// inGo measures a function.
func inGo(c clock, op func(n int) error) rounds.Side {
	return func(n int) (time.Duration, error) {
		runtime.GC() // what other rounds have left
		began := c.now()
		err := op(n)
		return c.now() - began, err
	}
}

const elementCount = 4096

// elements adds up the elements of shared memory, and of a slice of Go's.
func elements() []comparison {
	return []comparison{
		adding("ViewInts", func() ([]int64, func(), error) {
			l, err := pyshm.CreateListOf("pyshm_bench_*", make([]int64, elementCount))
			if err != nil {
				return nil, nil, err
			}
			view, err := l.ViewInts()
			return view, func() { l.Close(); l.Unlink() }, err
		}),
		adding("ViewFloats", func() ([]float64, func(), error) {
			l, err := pyshm.CreateListOf("pyshm_bench_*", make([]float64, elementCount))
			if err != nil {
				return nil, nil, err
			}
			view, err := l.ViewFloats()
			return view, func() { l.Close(); l.Unlink() }, err
		}),
		adding("View", func() ([]int32, func(), error) {
			m, err := pyshm.Create("pyshm_bench_*", 4*elementCount)
			if err != nil {
				return nil, nil, err
			}
			view, err := pyshm.View[int32](m, 0, elementCount)
			return view, func() { m.Close(); m.Unlink() }, err
		}),
		adding("Array.Slice", func() ([]float32, func(), error) {
			a, err := pyshm.CreateArray[float32]("pyshm_bench_*", []int{64, elementCount / 64})
			if err != nil {
				return nil, nil, err
			}
			view, err := a.Slice()
			return view, func() { _, _ = a.Close(), a.Unlink() }, err
		}),
	}
}

func adding[T int32 | int64 | float32 | float64](name string, view func() ([]T, func(), error)) comparison {
	start := func(b *bench) (first, second rounds.Side, end func(), err error) {
		shared, end, err := view()
		if err != nil {
			return nil, nil, nil, err
		}
		side := func(elements []T) rounds.Side {
			return inGo(b.clock, func(n int) error {
				for range n {
					addUp(elements)
				}
				return nil
			})
		}
		return side(shared), side(make([]T, len(shared))), end, nil
	}
	return comparison{name: "add up 4,096 elements", first: name, second: "Go slice", most: 1.05, start: start}
}

//go:noinline
func addUp[T int32 | int64 | float32 | float64](elements []T) (sum T) {
	for _, v := range elements {
		sum += v
	}
	return sum
}
