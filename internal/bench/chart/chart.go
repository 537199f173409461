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
