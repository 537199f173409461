package main

import (
	"errors"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bars have a name on the left and the figure on the right.
type bars struct {
	axis scale
	bars []bar
}

type bar struct {
	name  string
	value float64
}

func (b *bars) addTo(p *plot.Plot) (width, height, legend vg.Length, err error) {
	const row, thick = 17, 12
	count := len(b.bars)
	if count == 0 {
		return 0, 0, 0, errors.New("there are no figures")
	}
	names := make([]string, count)
	lengths, below := make(plotter.Values, count), make(plotter.Values, count)
	ends := plotter.XYLabels{XYs: make(plotter.XYs, count), Labels: make([]string, count)}
	most := b.axis.from
	for i, bar := range b.bars {
		if bar.value <= 0 {
			return 0, 0, 0, fmt.Errorf("%q has no figure", bar.name)
		}
		at := count - 1 - i // the first is on top
		value := max(bar.value, b.axis.from)
		most = max(most, value)
		names[at], below[at], lengths[at] = bar.name, b.axis.from, value-b.axis.from
		ends.XYs[at], ends.Labels[at] = plotter.XY{X: value, Y: float64(at)}, b.axis.text(bar.value)
	}
	// A logarithmic scale has no zero, where a bar would begin by itself.
	begin, err := plotter.NewBarChart(below, thick)
	if err != nil {
		return 0, 0, 0, err
	}
	chart, err := plotter.NewBarChart(lengths, thick)
	if err != nil {
		return 0, 0, 0, err
	}
	chart.StackOn(begin)
	chart.Horizontal, chart.Color, chart.LineStyle.Width = true, blue, 0
	figures, err := plotter.NewLabels(ends)
	if err != nil {
		return 0, 0, 0, err
	}
	for i := range figures.TextStyle {
		figures.TextStyle[i].Font.Size, figures.TextStyle[i].YAlign = textSize, draw.YCenter
	}
	figures.Offset = vg.Point{X: 4, Y: figures.TextStyle[0].FontExtents().Descent} // as the axis has it
	lines := grid()
	lines.Horizontal.Color = nil
	p.Add(lines, chart, figures)
	b.axis.set(&p.X, most)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(count)-0.5
	const rest = 80 // for title and axis: without room for its name, gonum/plot drops a single bar
	return 620, vg.Length(count*row) + rest, 0, nil
}

var blue = color.NRGBA{0x4a, 0x7e, 0xbb, 0xff}
