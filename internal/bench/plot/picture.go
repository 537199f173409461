package main

import (
	"bytes"
	"image/color"
	"io"
	"math"

	"codeberg.org/go-fonts/dejavu/dejavusans"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A picture is a file.
type picture struct {
	name    string // of the file, if the report has several
	title   string
	content interface {
		// addTo adds the content to a plot, and returns the size of the picture and the
		// part on the right that belongs to the legend.
		addTo(p *plot.Plot) (width, height, legend vg.Length, err error)
	}
}

// The places of texts are computed for DejaVu Sans, which is wide, and Verdana is as wide. So
// no text reaches into another one if a system has neither and takes a narrower font.
const (
	wideFont = "font-family:DejaVu Sans;"
	anyFont  = "font-family:DejaVu Sans,Verdana,sans-serif;"
)

func init() {
	parsed, err := opentype.Parse(dejavusans.TTF)
	if err != nil {
		panic(err) // the font is part of the program
	}
	wide := font.Font{Typeface: "DejaVu", Variant: "Sans"}
	font.DefaultCache.Add([]font.Face{{Font: wide, Face: parsed}})
	plot.DefaultFont, plotter.DefaultFont = wide, wide
}

const (
	textSize = 10
	margin   = 8
)

var gray = color.Gray{0xdd}

// write writes the picture as SVG.
func (pic *picture) write(w io.Writer) error {
	p := plot.New()
	p.Title.Text = pic.title
	p.Title.TextStyle.Font.Size = textSize + 2
	p.Title.Padding = margin
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Tick.Label.Font.Size, axis.Label.TextStyle.Font.Size = textSize, textSize
		axis.Label.Padding = margin / 2
	}
	width, height, legend, err := pic.content.addTo(p)
	if err != nil {
		return err
	}
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Path())
	all = draw.Crop(all, margin, -margin, margin, -margin)
	key := p.Legend
	p.Legend, p.BackgroundColor = plot.NewLegend(), nil
	p.Draw(draw.Crop(all, 0, -legend, 0, 0))
	if legend > 0 {
		top := p.Title.TextStyle.Height(pic.title) + margin
		key.Draw(draw.Crop(all, width-legend, 0, 0, -top))
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	_, err = w.Write(bytes.ReplaceAll(svg.Bytes(), []byte(wideFont), []byte(anyFont)))
	return err
}

// A scale is logarithmic. A figure of less than from is drawn as from.
type scale struct {
	label string
	from  float64
	text  func(float64) string // prints a figure with its unit
}

// set makes the axis reach to a power of ten that is no less than most.
func (s scale) set(axis *plot.Axis, most float64) {
	powers := max(math.Ceil(math.Log10(most/s.from)), 1)
	axis.Min, axis.Max = s.from, s.from*math.Pow10(int(powers))
	axis.Scale = plot.LogScale{}
	axis.Label.Text = s.label
	axis.Tick.Marker = powersOfTen(s.text)
}

// powersOfTen marks the powers of ten on an axis with texts.
type powersOfTen func(float64) string

func (text powersOfTen) Ticks(least, most float64) (ticks []plot.Tick) {
	for power := math.Ceil(math.Log10(least) - 1e-9); power <= math.Log10(most)+1e-9; power++ {
		value := math.Pow10(int(power))
		ticks = append(ticks, plot.Tick{Value: value, Label: text(value)})
	}
	return ticks
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = gray, gray
	g.Horizontal.Width, g.Vertical.Width = 0.5, 0.5
	return g
}
