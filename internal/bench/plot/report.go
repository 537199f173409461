package main

import (
	"fmt"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

// A report has the parts of a benchmark's JSON that are drawn. Each benchmark has one of
// the lists.
type report struct {
	Python  string      `json:"python"`
	Results []operation `json:"results"` // of internal/bench
	Tables  []table     `json:"tables"`  // of internal/bench/alternatives
	Series  []series    `json:"series"`  // of internal/bench/scale
}

type operation struct {
	Name       string        `json:"name"`
	PythonByGo rounds.Spread `json:"pythonByGo"`
}

type table struct {
	Name string `json:"name"`
	Ways []way  `json:"ways"`
}

type way struct {
	Name string        `json:"name"`
	Trip rounds.Spread `json:"tripNs"`
}

type series struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Grows  string  `json:"grows"` // what the sizes count
	Points []point `json:"points"`
}

type point struct {
	Size    float64  `json:"size"`
	Figures []figure `json:"figures"`
}

type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // nanoseconds or bytes
	Bytes bool    `json:"bytes"`
}

func (r *report) pictures() (all []picture, err error) {
	if len(r.Results) > 0 {
		all = append(all, r.ratios())
	}
	if len(r.Tables) > 0 {
		all = append(all, r.trips())
	}
	for _, s := range r.Series {
		pictures, err := s.pictures()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		all = append(all, pictures...)
	}
	return all, nil
}

// ratios is about how many times longer Python takes.
func (r *report) ratios() picture {
	b := bars{
		axis: scale{label: "Python's time divided by Go's", from: 1, text: rounds.Count},
	}
	for _, o := range r.Results {
		b.bars = append(b.bars, bar{o.Name, o.PythonByGo.Median})
	}
	return picture{title: "How many times longer " + r.Python + " takes than Go", content: &b}
}

// trips is about the last table, which has a frame.
func (r *report) trips() picture {
	last := r.Tables[len(r.Tables)-1]
	b := bars{axis: scale{label: "time there and back", from: 100, text: rounds.Time}}
	for _, w := range last.Ways {
		b.bars = append(b.bars, bar{w.Name, w.Trip.Median})
	}
	return picture{title: fmt.Sprintf("A %s to Go and back (%s)", last.Name, r.Python), content: &b}
}

// pictures returns a picture of times and one of memory, as far as the series has them.
func (s *series) pictures() (all []picture, err error) {
	if len(s.Points) == 0 {
		return nil, nil
	}
	times := lines{x: s.Grows, axis: scale{label: "time", from: 10, text: rounds.Time}}
	memory := lines{x: s.Grows, axis: scale{label: "memory", from: 1, text: rounds.Bytes}}
	for i, f := range s.Points[0].Figures {
		l := line{name: f.Name}
		for _, p := range s.Points {
			if i >= len(p.Figures) || p.Figures[i].Name != f.Name {
				return nil, fmt.Errorf("size %g has no figure %q", p.Size, f.Name)
			}
			l.x, l.y = append(l.x, p.Size), append(l.y, p.Figures[i].Value)
		}
		if f.Bytes {
			memory.lines = append(memory.lines, l)
		} else {
			times.lines = append(times.lines, l)
		}
	}
	if len(times.lines) > 0 {
		all = append(all, picture{s.Name, s.Title, &times})
	}
	if len(memory.lines) > 0 {
		all = append(all, picture{s.Name + "-memory", s.Title, &memory})
	}
	return all, nil
}
