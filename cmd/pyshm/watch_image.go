package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/pyshm-go/pyshm/format/npy"
)

var errNoPicture = errors.New("--image is for an array of numbers of shape (h, w), (h, w, 3) or (h, w, 4)")

// pictureOf returns the array of a table that can be drawn.
func pictureOf(t table) (*array, error) {
	var a *array
	switch t := t.(type) {
	case gridTable:
		a = t.array
	case *ringTable:
		a = t.array
	default:
		return nil, errNoPicture
	}
	shape := a.header.Shape
	switch a.header.Dtype.Kind() {
	case npy.KindBool, npy.KindInt, npy.KindUint:
	case npy.KindFloat:
		if a.header.Dtype.Size() > 8 {
			return nil, errNoPicture
		}
	default:
		return nil, errNoPicture
	}
	if len(shape) == 2 || len(shape) == 3 && (shape[2] == 3 || shape[2] == 4) {
		return a, nil
	}
	return nil, errNoPicture
}

func canDraw(t table) error {
	_, err := pictureOf(t)
	return err
}

// drawImage draws an array with half blocks: a character has two pixels, one above the
// other. The picture is as large as fits.
func drawImage(t table, width, height int) ([]string, error) {
	a, err := pictureOf(t)
	if err != nil {
		return nil, err
	}
	h, w := a.header.Shape[0], a.header.Shape[1]
	if h == 0 || w == 0 || width <= 0 || height <= 0 {
		return nil, nil
	}
	scale := min(float64(width)/float64(w), float64(2*height)/float64(h))
	cols, rows := max(1, min(width, int(float64(w)*scale))), max(1, min(2*height, int(float64(h)*scale)))
	pixels, err := samplePixels(a, cols, rows)
	if err != nil {
		return nil, err
	}
	var lines []string
	for y := 0; y < rows; y += 2 {
		var line strings.Builder
		last := ""
		for x := range cols {
			colour := colourCode(38, pixels[y*cols+x])
			if y+1 < rows {
				colour += ";" + colourCode(48, pixels[(y+1)*cols+x])
			}
			if colour != last {
				line.WriteString("\x1b[" + colour + "m")
				last = colour
			}
			line.WriteString("▀")
		}
		lines = append(lines, line.String())
	}
	return lines, nil
}

// A pixel has red, green and blue.
type pixel [3]float64

// samplePixels takes pixels at even distances. Bytes are colours as they are; other
// numbers are scaled, so that the smallest is black and the largest white.
func samplePixels(a *array, cols, rows int) ([]pixel, error) {
	h, w, channels := a.header.Shape[0], a.header.Shape[1], 1
	if len(a.header.Shape) == 3 {
		channels = a.header.Shape[2]
	}
	pixels := make([]pixel, 0, cols*rows)
	low, high := math.Inf(1), math.Inf(-1)
	for y := range rows {
		for x := range cols {
			n := (y*h/rows*w + x*w/cols) * channels
			var p pixel
			for c := range p {
				v, err := a.float(n + min(c, channels-1))
				if err != nil {
					return nil, err
				}
				p[c] = v
				if !math.IsInf(v, 0) && v == v {
					low, high = min(low, v), max(high, v)
				}
			}
			pixels = append(pixels, p)
		}
	}
	d := a.header.Dtype
	if d.Kind() == npy.KindUint && d.Size() == 1 {
		return pixels, nil
	}
	if d.Kind() == npy.KindBool {
		low, high = 0, 1
	}
	for i := range pixels {
		for c, v := range pixels[i] {
			pixels[i][c] = max(0, min(255, 255*(v-low)/max(high-low, math.SmallestNonzeroFloat64)))
		}
	}
	return pixels, nil
}

// float returns an element of an array of real numbers.
func (a *array) float(n int) (float64, error) {
	b, _, err := a.element(n)
	if err != nil {
		return 0, err
	}
	switch a.header.Dtype.Kind() {
	case npy.KindFloat:
		return floatOf(b), nil
	case npy.KindInt:
		return float64(signed(b)), nil
	}
	return float64(word(b)), nil
}

// colourCode returns the code of a colour: 38 is of a character, 48 of the ground behind it.
func colourCode(ground int, p pixel) string {
	if trueColour() {
		return fmt.Sprintf("%d;2;%d;%d;%d", ground, level(p[0]), level(p[1]), level(p[2]))
	}
	if r := level(p[0]); r == level(p[1]) && r == level(p[2]) && r > 4 && r < 247 {
		return fmt.Sprintf("%d;5;%d", ground, 232+(r-4)*24/243) // one of 24 greys
	}
	cube := func(v float64) int { return (level(v)*5 + 127) / 255 }
	return fmt.Sprintf("%d;5;%d", ground, 16+36*cube(p[0])+6*cube(p[1])+cube(p[2]))
}

// level returns a level of a colour. A NaN is black.
func level(v float64) int {
	if v != v {
		return 0
	}
	return int(v)
}
