package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

// lines show figures that depend on x. The legend has the name and the last figure of each.
type lines struct {
	x     string
	axis  scale
	lines []line
}

type line struct {
	name string
	x, y []float64
}

var colours = []color.Color{
	blue, color.NRGBA{0xc0, 0x50, 0x4d, 0xff}, color.NRGBA{0x6a, 0x9a, 0x3b, 0xff},
	color.NRGBA{0x7d, 0x60, 0xa0, 0xff}, color.NRGBA{0xd0, 0x8a, 0x2e, 0xff},
	color.NRGBA{0x3a, 0x9a, 0xa8, 0xff}, color.NRGBA{0x77, 0x77, 0x77, 0xff},
}

func (l *lines) addTo(p *plot.Plot) (width, height, legend vg.Length, err error) {
	p.Add(grid())
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, 4
	p.Legend.TextStyle.Font.Size = textSize
	last := l.lines[0].x[len(l.lines[0].x)-1]
	p.Legend.Add(fmt.Sprintf("at %s %s:", rounds.Count(last), l.x))
	leastX, mostX, mostY := math.Inf(1), 0.0, l.axis.from
	for i, one := range l.lines {
		points := make(plotter.XYs, len(one.x))
		for j, x := range one.x {
			if x <= 0 || one.y[j] < 0 {
				return 0, 0, 0, fmt.Errorf("%q: a logarithmic scale has no %g at %g", one.name, one.y[j], x)
			}
			leastX, mostX, mostY = min(leastX, x), max(mostX, x), max(mostY, one.y[j])
			points[j] = plotter.XY{X: x, Y: max(one.y[j], l.axis.from)}
		}
		path, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return 0, 0, 0, err
		}
		colour := colours[i%len(colours)]
		path.Color, path.Width = colour, 1.5
		marks.Color, marks.Shape, marks.Radius = colour, draw.CircleGlyph{}, 2.5
		p.Add(path, marks)
		p.Legend.Add(fmt.Sprintf("%s: %s", one.name, l.axis.text(one.y[len(one.y)-1])), path, marks)
	}
	l.axis.set(&p.Y, mostY)
	scale{label: l.x, from: leastX, text: rounds.Count}.set(&p.X, mostX)
	p.X.Max = max(mostX, 10*leastX)
	return 620, 290, 190, nil
}
