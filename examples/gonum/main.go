// gonum and numpy compute with the same matrices, in shared memory: gonum solves a system of
// equations, numpy checks the solution and inverts the matrix in place, and gonum uses the
// inverse. The example is a module of its own so that pyshm needs no gonum.
package main

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"

	"gonum.org/v1/gonum/mat"

	"github.com/pyshm-go/pyshm/pyshm"
)

const n = 100

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	matrices, err := pyshm.CreateArray[float64]("matrices-*", []int{3, n, n})
	if err != nil {
		return err
	}
	defer matrices.Unlink()
	defer matrices.Close()
	if err := matrices.Guard(solve); err != nil {
		return err
	}
	worker := exec.Command("python3", "worker.py", matrices.Name())
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Run(); err != nil {
		return err
	}
	return matrices.Guard(compare)
}

// split returns a, b and x of a·x = b. They have the array's memory, without a copy.
func split(all []float64) (a, b, x *mat.Dense) {
	return mat.NewDense(n, n, all[:n*n]), mat.NewDense(n, n, all[n*n:2*n*n]), mat.NewDense(n, n, all[2*n*n:])
}

// solve makes a and b of random numbers, and computes x.
func solve(all []float64) error {
	random := rand.New(rand.NewPCG(1, 2)) // the same numbers in each run
	for i := range 2 * n * n {
		all[i] = random.NormFloat64()
	}
	a, b, x := split(all)
	return x.Solve(a, b)
}

// compare computes the solution once more, with the inverse that numpy has left in a.
func compare(all []float64) error {
	inverse, b, x := split(all)
	var product mat.Dense
	product.Mul(inverse, b)
	if !mat.EqualApprox(&product, x, 1e-6) {
		return fmt.Errorf("with numpy's inverse the solution differs from gonum's")
	}
	fmt.Println("Go: numpy's inverse gives the same solution")
	return nil
}
