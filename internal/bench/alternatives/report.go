//go:build linux

package main

import (
	"fmt"
	"io"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

type report struct {
	Python string        `json:"python"`
	Rounds int           `json:"rounds"`
	Tables []tableResult `json:"tables"`
	Goals  []goalResult  `json:"goals"`
}

type tableResult struct {
	Name  string      `json:"name"`
	Bytes int         `json:"bytes"` // in each direction
	Base  string      `json:"base"`  // the way with which the others are compared
	Ways  []wayResult `json:"ways"`
}

type wayResult struct {
	Name   string         `json:"name"`
	Trip   rounds.Spread  `json:"tripNs"` // to the other side and back
	Rate   float64        `json:"bytesPerSecond"`
	ByBase *rounds.Spread `json:"tripByBase,omitempty"`

	times []float64
}

type goalResult struct {
	Name    string  `json:"name"`
	Times   float64 `json:"times"`
	AtLeast float64 `json:"atLeast,omitempty"`
	AtMost  float64 `json:"atMost,omitempty"`
	Reached bool    `json:"reached"`
}

func (t *tableResult) add(names []string, times [][]float64) {
	for i, name := range names {
		trip := rounds.SpreadOf(times[i])
		t.Ways = append(t.Ways, wayResult{Name: name, Trip: trip, Rate: float64(2*t.Bytes) / trip.Median * 1e9, times: times[i]})
	}
	if base := t.way(t.Base); base != nil {
		for i := range t.Ways {
			by := rounds.Ratios(t.Ways[i].times, base.times)
			t.Ways[i].ByBase = &by
		}
	}
}

func (t *tableResult) way(name string) *wayResult {
	for i := range t.Ways {
		if t.Ways[i].Name == name {
			return &t.Ways[i]
		}
	}
	return nil
}

// judge compares with the goals, as far as the ways were measured.
func (r *report) judge() {
	for _, g := range goals() {
		for _, t := range r.Tables {
			slow, fast := t.way(g.slow), t.way(g.fast)
			if t.Name != g.table || slow == nil || fast == nil {
				continue
			}
			times := rounds.Ratios(slow.times, fast.times).Median
			r.Goals = append(r.Goals, goalResult{g.String(), times, g.atLeast, g.atMost, times >= g.atLeast && (g.atMost == 0 || times <= g.atMost)})
		}
	}
}

func (t *tableResult) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-32s %20s %12s %s\n", t.Name, "there and back", "MB/s", "  times "+t.Base)
	for _, way := range t.Ways {
		by := ""
		if way.ByBase != nil {
			by = fmt.Sprintf("%8.3g", way.ByBase.Median)
		}
		fmt.Fprintf(w, "%-32s %20s %12.4g %s\n", way.Name, way.Trip.Time(), way.Rate/1e6, by)
	}
}

func (r *report) printGoals(w io.Writer) {
	for _, g := range r.Goals {
		bound, missed := fmt.Sprintf("≥ %g", g.AtLeast), ""
		if g.AtMost > 0 {
			bound = fmt.Sprintf("≤ %g", g.AtMost)
		}
		if !g.Reached {
			missed = " -"
		}
		fmt.Fprintf(w, "%s: %.3g (%s%s)\n", g.Name, g.Times, bound, missed)
	}
}
