package main

import (
	"fmt"
	"strconv"
	"strings"
)

// sixelRows is how many rows of pixels a character of sixels has.
const sixelRows = 6

// sixelImage returns what draws a picture at the cursor in sixels, as DEC's VT340 did: for
// each six rows, and each colour in them, a character a column whose bits are the rows of
// that colour.
func sixelImage(p picture, colours int) string {
	palette, numbers := sixelColours(p, colours)
	var text strings.Builder
	fmt.Fprintf(&text, "\x1bP0;1;0q\"1;1;%d;%d", p.width, p.height)
	for i, c := range palette {
		fmt.Fprintf(&text, "#%d;2;%d;%d;%d", i, c[0], c[1], c[2])
	}
	masks := make([][]byte, len(palette))
	for top := 0; top < p.height; top += sixelRows {
		used := make([]bool, len(palette))
		for y := top; y < min(top+sixelRows, p.height); y++ {
			for x, i := range numbers[y*p.width : (y+1)*p.width] {
				if masks[i] == nil {
					masks[i] = make([]byte, p.width)
				}
				masks[i][x] |= 1 << (y - top)
				used[i] = true
			}
		}
		for i, mask := range masks {
			if used[i] {
				text.WriteString("#" + strconv.Itoa(i))
				writeSixels(&text, mask)
				text.WriteByte('$') // back to the first column
				clear(mask)
			}
		}
		text.WriteByte('-') // the next six rows
	}
	return text.String() + stringEnd
}

// writeSixels writes the characters of a colour, and how often a character is repeated.
func writeSixels(text *strings.Builder, mask []byte) {
	for len(mask) > 0 {
		n := 1
		for n < len(mask) && mask[n] == mask[0] {
			n++
		}
		c := string(rune('?' + mask[0]))
		switch {
		case n == len(mask) && mask[0] == 0: // nothing more in these rows
		case n > 3:
			text.WriteString("!" + strconv.Itoa(n) + c)
		default:
			text.WriteString(strings.Repeat(c, n))
		}
		mask = mask[n:]
	}
}

// sixelColours returns a palette, in percent, and the number in it of each pixel. A picture
// of few colours has them exactly. Others have a fixed palette, so that colours do not
// change from one picture to the next, and a pattern of 8 by 8 pixels between two of them.
func sixelColours(p picture, colours int) (palette []pixel, numbers []uint8) {
	numbers = make([]uint8, 0, p.width*p.height)
	known := map[pixel]uint8{}
	for i := 0; i < len(p.rgb); i += 3 {
		c := pixel{percent(p.rgb[i]), percent(p.rgb[i+1]), percent(p.rgb[i+2])}
		n, ok := known[c]
		if !ok {
			if len(palette) == colours {
				return ditheredColours(p, colours)
			}
			n = uint8(len(palette))
			known[c] = n
			palette = append(palette, c)
		}
		numbers = append(numbers, n)
	}
	return palette, numbers
}

func percent(level uint8) uint8 { return uint8((int(level)*100 + 127) / 255) }

// cubes are palettes: how many levels of red, green and blue. Eyes see green best.
var cubes = [][3]int{{6, 7, 6}, {5, 5, 5}, {4, 4, 4}, {2, 4, 2}, {2, 2, 2}, {1, 2, 1}}

// ditheredColours uses the largest cube that the terminal has colours for.
func ditheredColours(p picture, colours int) (palette []pixel, numbers []uint8) {
	cube := cubes[len(cubes)-1]
	for _, c := range cubes {
		if c[0]*c[1]*c[2] <= colours {
			cube = c
			break
		}
	}
	for r := range cube[0] {
		for g := range cube[1] {
			for b := range cube[2] {
				palette = append(palette, pixel{share(r, cube[0]), share(g, cube[1]), share(b, cube[2])})
			}
		}
	}
	for i := range p.width * p.height {
		threshold := bayer[i/p.width%8][i%p.width%8]
		n := 0
		for c, levels := range cube {
			n = n*levels + (int(p.rgb[3*i+c])*(levels-1)*64+threshold*255)/(255*64)
		}
		numbers = append(numbers, uint8(n))
	}
	return palette, numbers
}

// share returns the i-th of n levels in percent.
func share(i, n int) uint8 { return uint8(i * 100 / max(1, n-1)) }

// bayer has the numbers from 0 to 63, so that near ones are far apart.
var bayer = func() (m [8][8]int) {
	for y := range 8 {
		for x := range 8 {
			for bit := range 3 {
				m[y][x] = m[y][x]<<2 | (x>>bit&1^y>>bit&1)<<1 | y>>bit&1
			}
		}
	}
	return m
}()
