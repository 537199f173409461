package compat_test

import (
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// This test checks that Go and numpy see the same array, with every Python of this
// machine that has numpy. In a test file it is called TestArray, and go test runs it.
func testArray(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		if !py.HasNumpy {
			t.Skip("no numpy")
		}
		block, err := pyshm.Create("", 6*8)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { block.Unlink(); block.Close() }()
		ours, err := pyshm.View[float64](block, 0, 6)
		if err != nil {
			t.Fatal(err)
		}
		copy(ours, []float64{1, 2, 3, 4, 5, 6})

		python, err := py.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { python.Close() })
		theirs, err := python.AttachBlock(block.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := python.Exec("import numpy"); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Shape    []int
			Means    [3]float64
			Elements [][]float64
		}
		array := fmt.Sprintf("numpy.ndarray((2, 3), 'f8', %s.buf)", theirs.Var())
		err = python.EvalInto(&got, "(lambda a: {'shape': a.shape, 'means': a.mean(0), 'elements': a})("+array+")")
		if err != nil {
			t.Fatal(err) // with the line of the Python that failed
		}
		if got.Means != [3]float64{2.5, 3.5, 4.5} || got.Elements[1][2] != ours[5] || len(got.Shape) != 2 {
			t.Errorf("%v sees %+v", py, got)
		}
	})
}

func ExampleForEach() {
	_ = testArray
}
