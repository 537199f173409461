package main

import (
	"errors"
	"fmt"
	"math"
	"os"
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

// A picture has pixels of three bytes: red, green and blue.
type picture struct {
	width, height int
	rgb           []byte
}

func (p picture) pixel(x, y int) pixel { return pixel(p.rgb[3*(y*p.width+x):]) }

type pixel [3]uint8

// largestPicture is how many pixels a picture has at most, whatever the terminal says of
// its size.
const largestPicture = 1 << 21

// takePicture makes a picture of the array of a table, as large as fits.
func takePicture(t table, width, height int) (picture, error) {
	a, err := pictureOf(t)
	if err != nil {
		return picture{}, err
	}
	h, w := a.header.Shape[0], a.header.Shape[1]
	if h == 0 || w == 0 || width <= 0 || height <= 0 {
		return picture{}, nil
	}
	scale := min(float64(width)/float64(w), float64(height)/float64(h))
	if pixels := scale * float64(w) * scale * float64(h); pixels > largestPicture {
		scale *= math.Sqrt(largestPicture / pixels)
	}
	cols, rows := max(1, min(width, int(float64(w)*scale))), max(1, min(height, int(float64(h)*scale)))
	samples, err := samplePixels(a, min(cols, w), min(rows, h))
	if err != nil {
		return picture{}, err
	}
	return samples.enlarged(cols, rows), nil
}

// drawImage draws an array with half blocks: a character has two pixels, one above the
// other.
func drawImage(t table, width, height int) ([]string, error) {
	p, err := takePicture(t, width, 2*height)
	if err != nil {
		return nil, err
	}
	var lines []string
	for y := 0; y < p.height; y += 2 {
		var line strings.Builder
		last := ""
		for x := range p.width {
			colour := colourCode(38, p.pixel(x, y))
			if y+1 < p.height {
				colour += ";" + colourCode(48, p.pixel(x, y+1))
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

// samplePixels takes pixels at even distances. Bytes are colours as they are; other
// numbers are scaled, so that the smallest is black and the largest white.
func samplePixels(a *array, cols, rows int) (picture, error) {
	p := picture{cols, rows, make([]byte, 0, 3*cols*rows)}
	low, high := math.Inf(1), math.Inf(-1)
	switch d := a.header.Dtype; {
	case d.Kind() == npy.KindUint && d.Size() == 1:
		low, high = 0, 255
	case d.Kind() == npy.KindBool:
		low, high = 0, 1
	default:
		err := eachSample(a, cols, rows, func(v float64) {
			if !math.IsInf(v, 0) && v == v {
				low, high = min(low, v), max(high, v)
			}
		})
		if err != nil {
			return picture{}, err
		}
	}
	err := eachSample(a, cols, rows, func(v float64) {
		p.rgb = append(p.rgb, level(255*(v-low)/max(high-low, math.SmallestNonzeroFloat64)))
	})
	return p, err
}

// eachSample calls f with red, green and blue of pixels at even distances.
func eachSample(a *array, cols, rows int, f func(v float64)) error {
	h, w := a.header.Shape[0], a.header.Shape[1]
	strides := append(a.header.Strides(), 0)
	b := make([]byte, a.header.Dtype.Size())
	for y := range rows {
		row := a.offset + spread(y, h, rows)*strides[0]
		for x := range cols {
			at := row + spread(x, w, cols)*strides[1]
			for c := range 3 {
				if err := a.load(b, at+c*strides[2]); err != nil {
					return err
				}
				f(realNumber(a.header.Dtype, b))
			}
		}
	}
	return nil
}

// spread returns which of n things the i-th of fewer, at even distances, is.
func spread(i, n, fewer int) int { return int(int64(i) * int64(n) / int64(fewer)) }

// enlarged repeats pixels.
func (p picture) enlarged(width, height int) picture {
	if width == p.width && height == p.height {
		return p
	}
	to := picture{width, height, make([]byte, 0, 3*width*height)}
	for y := range height {
		for x := range width {
			pixel := p.pixel(spread(x, p.width, width), spread(y, p.height, height))
			to.rgb = append(to.rgb, pixel[:]...)
		}
	}
	return to
}

// realNumber returns an element of an array of real numbers.
func realNumber(d npy.Dtype, b []byte) float64 {
	switch d.Kind() {
	case npy.KindFloat:
		return floatOf(b)
	case npy.KindInt:
		return float64(signed(b))
	}
	return float64(word(b))
}

// colourCode returns the code of a colour: 38 is of a character, 48 of the ground behind it.
func colourCode(ground int, p pixel) string {
	if trueColour() {
		return fmt.Sprintf("%d;2;%d;%d;%d", ground, p[0], p[1], p[2])
	}
	if r := p[0]; r == p[1] && r == p[2] && r > 4 && r < 247 {
		return fmt.Sprintf("%d;5;%d", ground, 232+(int(r)-4)*24/243) // one of 24 greys
	}
	cube := func(v uint8) int { return (int(v)*5 + 127) / 255 }
	return fmt.Sprintf("%d;5;%d", ground, 16+36*cube(p[0])+6*cube(p[1])+cube(p[2]))
}

// level returns a level of a colour. A NaN is black.
func level(v float64) uint8 {
	if v != v {
		return 0
	}
	return uint8(max(0, min(255, v)))
}

// trueColour reports whether the terminal has more than 256 colours.
func trueColour() bool {
	c := os.Getenv("COLORTERM")
	return c == "truecolor" || c == "24bit"
}
