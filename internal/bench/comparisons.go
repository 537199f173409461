//go:build linux

package main

import (
	"fmt"
	"io"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

// A comparison is of two sides that are not Go and Python doing the same. The ratio is
// how many times longer the first takes than the second.
type comparison struct {
	name          string
	first, second string
	least, most   float64 // bounds of the ratio, or 0
	needsC        bool    // it is left out if there is no C program

	start func(b *bench) (first, second rounds.Side, end func(), err error)
}

func comparisons(c clock) []comparison {
	cs := append([]comparison{readers(c)}, elements()...)
	cs = append(cs, handovers()...)
	return append(append(cs, hammering()), managers()...)
}

// A compared is the result of a comparison.
type compared struct {
	Name       string        `json:"name"`
	First      string        `json:"first"`
	Second     string        `json:"second"`
	FirstTime  rounds.Spread `json:"firstNs"`
	SecondTime rounds.Spread `json:"secondNs"`
	Ratio      rounds.Spread `json:"firstBySecond"`
	Least      float64       `json:"atLeast,omitempty"`
	Most       float64       `json:"atMost,omitempty"`
	Reached    bool          `json:"reached"`
}

func (b *bench) compare(c comparison) (compared, error) {
	first, second, end, err := c.start(b)
	if err != nil {
		return compared{}, err
	}
	defer end()
	times, err := rounds.Alternate([]rounds.Side{first, second}, b.rounds, 0, b.budget)
	if err != nil {
		return compared{}, err
	}
	r := compared{
		Name: c.name, First: c.first, Second: c.second, Least: c.least, Most: c.most,
		FirstTime: rounds.SpreadOf(times[0]), SecondTime: rounds.SpreadOf(times[1]), Ratio: rounds.Ratios(times[0], times[1]),
	}
	r.Reached = r.Ratio.Median >= c.least && (c.most == 0 || r.Ratio.Median <= c.most)
	return r, nil
}

func (c compared) print(w io.Writer) {
	goal := ""
	switch {
	case c.Least > 0:
		goal = fmt.Sprintf("≥ %g", c.Least)
	case c.Most > 0:
		goal = fmt.Sprintf("≤ %g", c.Most)
	}
	if !c.Reached {
		goal += " -"
	}
	fmt.Fprintf(w, "%-38s %14s %17s %14s %17s %8.3g %8s\n", c.Name, c.First, c.FirstTime.Time(), c.Second, c.SecondTime.Time(), c.Ratio.Median, goal)
}
