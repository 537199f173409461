//go:build linux

package main

import (
	"fmt"
	"io"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

type report struct {
	Python  string   `json:"python"`
	CPUTime bool     `json:"cpuTime"`
	Rounds  int      `json:"rounds"`
	C       string   `json:"c"` // how the C program was built, or why there is none
	Results []result `json:"results"`

	Comparisons []compared `json:"comparisons"`
}

// A result has times in nanoseconds, for each item of an operation on many.
type result struct {
	Name        string         `json:"name"`
	Go          rounds.Spread  `json:"goNs"`
	Python      rounds.Spread  `json:"pythonNs"`
	C           *rounds.Spread `json:"cNs,omitempty"`
	PythonByGo  rounds.Spread  `json:"pythonByGo"`
	GoByC       *rounds.Spread `json:"goByC,omitempty"`
	Goal        float64        `json:"goal,omitempty"` // of PythonByGo
	GoalReached bool           `json:"goalReached,omitempty"`
}

func newResult(o operation, times [][]float64) result {
	items := float64(max(o.items, 1))
	each := func(of []float64) rounds.Spread { return rounds.SpreadOf(of).Per(items) }
	r := result{Name: o.name, Goal: o.goal, Go: each(times[0]), Python: each(times[1]), PythonByGo: rounds.Ratios(times[1], times[0])}
	r.GoalReached = o.goal > 0 && r.PythonByGo.Median >= o.goal
	if len(times) > 2 {
		c, by := each(times[2]), rounds.Ratios(times[0], times[2])
		r.C, r.GoByC = &c, &by
	}
	return r
}

// printLast prints the last result, and the header before the first.
func (r *report) printLast(w io.Writer) {
	if len(r.Results) == 1 {
		fmt.Fprintf(w, "%-34s %18s %18s %14s %8s %18s %8s\n", "", "Go", r.Python, "Python/Go", "goal", "C", "Go/C")
	}
	last := r.Results[len(r.Results)-1]
	goal, c, by := "", "", ""
	if last.Goal > 0 {
		goal = fmt.Sprintf("≥ %g", last.Goal)
		if !last.GoalReached {
			goal += " -"
		}
	}
	if last.C != nil {
		c, by = last.C.Time(), fmt.Sprintf("%.2f", last.GoByC.Median)
	}
	fmt.Fprintf(w, "%-34s %18s %18s %14.4g %8s %18s %8s\n", last.Name, last.Go.Time(), last.Python.Time(), last.PythonByGo.Median, goal, c, by)
}
