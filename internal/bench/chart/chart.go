// Package chart draws the figures of the benchmarks as SVG.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

const frame = `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">` + "\n" +
	`<rect width="100%%" height="100%%" fill="white"/><text x="8" y="16">%s</text>` + "\n"

const row = 22

// A Bar is a figure with a label on each side.
type Bar struct {
	Label string
	Value float64
}

// Bars draws figures on a logarithmic scale. A figure of from or less has no length. text
// prints a figure with its unit.
func Bars(title string, from float64, bars []Bar, text func(float64) string) []byte {
	const left, factor = 250, 110 // factor is the width of a factor of 10
	most := from
	for _, b := range bars {
		most = max(most, b.Value)
	}
	powers := int(math.Ceil(math.Log10(most/from))) + 1
	height := row*len(bars) + 2*row
	var b bytes.Buffer
	fmt.Fprintf(&b, frame, left+powers*factor+80, height, html.EscapeString(title))
	for power := range powers + 1 {
		x := left + power*factor
		fmt.Fprintf(&b, `<path d="M%d %dV%d" stroke="#ddd"/><text x="%d" y="%d" fill="#888">%s</text>`+"\n",
			x, row, height-row, x-4, height-8, html.EscapeString(text(from*math.Pow10(power))))
	}
	for i, bar := range bars {
		y := row*i + row + 4
		width := int(math.Log10(max(bar.Value/from, 1)) * factor)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%d" height="%d" fill="#4a7ebb"/><text x="%d" y="%d">%s</text>`+"\n",
			left-8, y+13, html.EscapeString(bar.Label), left, y, width, row-6, left+width+5, y+13, html.EscapeString(text(bar.Value)))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// A Line is a series of figures.
type Line struct {
	Label string
	X, Y  []float64
}

var colours = []string{"#4a7ebb", "#c0504d", "#6a9a3b", "#7d60a0", "#d08a2e", "#3a9aa8", "#777777"}

// Lines draws figures that depend on x, with logarithmic scales. Figures of less than from
// lie at the bottom. Each line ends with its label and its last figure.
func Lines(title, x string, from float64, text func(float64) string, lines []Line) []byte {
	const left, top, right, high, wide = 70, 34, 330, 300, 520
	minX, maxX, maxY := math.Inf(1), 0.0, from
	for _, l := range lines {
		for i := range l.X {
			minX, maxX, maxY = min(minX, l.X[i]), max(maxX, l.X[i]), max(maxY, l.Y[i])
		}
	}
	powersX, powersY := math.Max(math.Log10(maxX/minX), 1), math.Ceil(math.Log10(maxY/from))+1
	atX := func(v float64) float64 { return left + math.Log10(v/minX)/powersX*wide }
	atY := func(v float64) float64 { return top + high - math.Log10(max(v, from)/from)/powersY*high }
	var b bytes.Buffer
	fmt.Fprintf(&b, frame, left+wide+right, top+high+50, html.EscapeString(title))
	for power := range int(powersY) + 1 {
		v := from * math.Pow10(power)
		fmt.Fprintf(&b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" fill="#888" text-anchor="end">%s</text>`+"\n",
			left, atY(v), wide, left-6, atY(v)+4, html.EscapeString(text(v)))
	}
	for v := minX; v <= maxX*1.01; v *= 10 {
		fmt.Fprintf(&b, `<path d="M%.1f %dv%d" stroke="#ddd"/><text x="%.1f" y="%d" fill="#888" text-anchor="middle">%s</text>`+"\n",
			atX(v), top, high, atX(v), top+high+18, Count(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", left+wide/2, top+high+40, html.EscapeString(x))
	for i, l := range lines {
		colour, points := colours[i%len(colours)], ""
		for j := range l.X {
			points += fmt.Sprintf("%.1f,%.1f ", atX(l.X[j]), atY(l.Y[j]))
		}
		y := top + 14 + i*20
		last := l.Y[len(l.Y)-1]
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/><path d="M%d %dh20" stroke="%s" stroke-width="2"/><text x="%d" y="%d">%s: %s</text>`+"\n",
			points, colour, left+wide+20, y-4, colour, left+wide+46, y, html.EscapeString(l.Label), html.EscapeString(text(last)))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// Count prints a large number with a unit: 1k, 10M.
func Count(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of*0.9995 {
			return fmt.Sprintf("%.3g%s", v/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.3g", v)
}
