//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
)

type report struct {
	Python  string   `json:"python"`
	CPUTime bool     `json:"cpuTime"`
	Rounds  int      `json:"rounds"`
	C       string   `json:"c"` // how the C program was built, or why there is none
	Results []result `json:"results"`
}

// A result has times in nanoseconds, for each item of an operation on many.
type result struct {
	Name        string  `json:"name"`
	Go          spread  `json:"goNs"`
	Python      spread  `json:"pythonNs"`
	C           *spread `json:"cNs,omitempty"`
	PythonByGo  spread  `json:"pythonByGo"`
	GoByC       *spread `json:"goByC,omitempty"`
	Goal        float64 `json:"goal,omitempty"` // of PythonByGo
	GoalReached bool    `json:"goalReached,omitempty"`
}

func newResult(o operation, times [][]float64) result {
	items := float64(max(o.items, 1))
	each := func(of []float64) spread {
		s := spreadOf(of)
		return spread{s.Median / items, s.Low / items, s.High / items}
	}
	r := result{Name: o.name, Goal: o.goal, Go: each(times[0]), Python: each(times[1]), PythonByGo: ratios(times[1], times[0])}
	r.GoalReached = o.goal > 0 && r.PythonByGo.Median >= o.goal
	if len(times) > 2 {
		c, by := each(times[2]), ratios(times[0], times[2])
		r.C, r.GoByC = &c, &by
	}
	return r
}

func ratios(a, b []float64) spread {
	var rs []float64
	for i := range a {
		rs = append(rs, a[i]/b[i])
	}
	return spreadOf(rs)
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
		c, by = last.C.time(), fmt.Sprintf("%.2f", last.GoByC.Median)
	}
	fmt.Fprintf(w, "%-34s %18s %18s %14.4g %8s %18s %8s\n", last.Name, last.Go.time(), last.Python.time(), last.PythonByGo.Median, goal, c, by)
}

// time prints a time with the unit that fits it, and its spread.
func (s spread) time() string {
	unit, by := "ns", 1.0
	for _, larger := range []string{"µs", "ms", "s"} {
		if s.Median/by < 1000 {
			break
		}
		unit, by = larger, by*1000
	}
	return fmt.Sprintf("%.3g %s (%.0f %%)", s.Median/by, unit, 100*(s.High-s.Low)/s.Median)
}

// svg draws how many times longer Python takes, on a logarithmic scale.
func (r *report) svg() []byte {
	const row, left, scale = 22, 250, 110 // scale: for each factor of 10
	height := row*len(r.Results) + 2*row
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", left+5*scale+80, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="8" y="16">How many times longer %s takes than Go</text>`+"\n", html.EscapeString(r.Python))
	for power := range 6 {
		x := left + power*scale
		fmt.Fprintf(&b, `<path d="M%d %dV%d" stroke="#ddd"/><text x="%d" y="%d" fill="#888">%g</text>`+"\n", x, row, height-row, x-4, height-8, math.Pow(10, float64(power)))
	}
	for i, one := range r.Results {
		y := row*i + row + 4
		width := int(math.Log10(max(one.PythonByGo.Median, 1)) * scale)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%d" height="%d" fill="#4a7ebb"/><text x="%d" y="%d">%.3g</text>`+"\n",
			left-8, y+13, html.EscapeString(one.Name), left, y, width, row-6, left+width+5, y+13, one.PythonByGo.Median)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
