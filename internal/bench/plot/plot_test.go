package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

var update = flag.Bool("update", false, "draw the pictures in docs/speed")

// recorded are the reports in docs/speed, and the arguments with which their pictures are
// drawn.
var recorded = map[string]string{"alternatives.json": "frame.svg", "scale.json": ""}

const speed = "../../../docs/speed"

// The pictures in docs/speed are drawn from the reports there.
func TestDocumented(t *testing.T) {
	folder := t.TempDir()
	if *update {
		folder = speed
	}
	for name, picture := range recorded {
		if err := run(open(t, name), filepath.Join(folder, picture)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	want, got := svgs(t, speed), svgs(t, folder)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !bytes.Equal(want[name], got[name]) {
			t.Errorf("%s is not what its report shows: go test -update draws it", name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is missing", name)
	}
}

func TestBars(t *testing.T) {
	r := load(t, "alternatives.json")
	pictures, err := r.pictures()
	if err != nil || len(pictures) != 1 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	frame := r.Tables[len(r.Tables)-1]
	d := drawn(t, pictures[0])
	d.has(t, "A "+frame.Name+" to Go and back ("+r.Python+")", "time there and back", "100 ns", "1 ms", "100 ms")
	var lengths, figures []float64
	bars := d.paths("fill:#4A7EBB")
	if len(bars) != len(frame.Ways) {
		t.Fatalf("%d bars of %d", len(bars), len(frame.Ways))
	}
	for i, w := range frame.Ways {
		bar := bars[len(bars)-1-i] // the last is drawn first
		figure := rounds.Time(w.Trip.Median)
		d.has(t, w.Name, figure)
		lengths = append(lengths, bar[2].X-bar[0].X)
		figures = append(figures, w.Trip.Median)
		middle := (bar[0].Y + bar[1].Y) / 2
		for _, text := range []string{w.Name, figure} {
			if at := d.texts[text]; math.Abs(at.Y-middle) > 5 {
				t.Errorf("%q is at %v, and its bar at %v", text, at.Y, middle)
			}
		}
	}
	isLog(t, "bars", figures, lengths)
	marks := d.paths("stroke:#DDDDDD") // at the powers of ten
	if len(marks) != 7 || marks[0][0].X != bars[0][0].X {
		t.Fatalf("the bars begin at %v, and the axis has %v", bars[0][0], marks)
	}
	isLog(t, "the axis and the first bar", []float64{100, 1e8, figures[0]}, []float64{0, marks[6][0].X - marks[0][0].X, lengths[0]})
}

// Of several tables the last is drawn, which has the frame.
func TestLastTable(t *testing.T) {
	r := report{Tables: []table{
		{"few ints", []way{{"pipe", rounds.Spread{Median: 1000}}}}, {"frame", []way{{"socket", rounds.Spread{Median: 2000}}}},
	}}
	pictures, err := r.pictures()
	if err != nil || len(pictures) != 1 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	d := drawn(t, pictures[0])
	d.has(t, "socket", "2 µs")
	if bars := d.paths("fill:#4A7EBB"); len(bars) != 1 {
		t.Errorf("%d bars of 1", len(bars))
	}
}

func TestRatios(t *testing.T) {
	r := report{Python: "CPython 3.99 <&>", Results: []operation{
		{"less", rounds.Spread{Median: 0.5}}, {"read <int>", rounds.Spread{Median: 104}}, {"set", rounds.Spread{Median: 3100}},
	}}
	pictures, err := r.pictures()
	if err != nil || len(pictures) != 1 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	d := drawn(t, pictures[0])
	d.has(t, "How many times longer CPython 3.99 <&> takes than Go", "Python's time divided by Go's",
		"less", "0.5", "read <int>", "104", "set", "3.1k", "1", "10", "10k")
	bars := d.paths("fill:#4A7EBB")
	if len(bars) != 3 {
		t.Fatalf("%d bars of 3", len(bars))
	}
	if length := bars[2][2].X - bars[2][0].X; length != 0 {
		t.Errorf("a ratio of less than 1 has a bar of length %v", length)
	}
}

func TestLines(t *testing.T) {
	r := load(t, "scale.json")
	pictures, err := r.pictures()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]drawing{}
	for _, p := range pictures {
		byName[p.name] = drawn(t, p)
	}
	for _, s := range r.Series {
		colour := map[string]int{}
		for i, f := range s.Points[0].Figures {
			name, axis, least, text := s.Name, "time", 10.0, rounds.Time
			if f.Bytes {
				name, axis, least, text = s.Name+"-memory", "memory", 1.0, rounds.Bytes
			}
			d, ok := byName[name]
			if !ok {
				t.Fatalf("there is no picture %s", name)
			}
			last := s.Points[len(s.Points)-1]
			d.has(t, s.Title, s.Grows, axis, text(least), f.Name+": "+text(last.Figures[i].Value),
				fmt.Sprintf("at %s %s:", rounds.Count(last.Size), s.Grows))
			paths := d.paths("fill:none;stroke:"+hex(colour[name])+";", "stroke-width:1.5")
			colour[name]++
			if len(paths) != 2 || len(paths[0]) != len(s.Points) {
				t.Fatalf("%s: %s has %d paths, and not a line of %d points and one in the legend", name, f.Name, len(paths), len(s.Points))
			}
			var sizes, figures, x, y []float64
			for j, p := range s.Points {
				sizes, figures = append(sizes, p.Size), append(figures, max(p.Figures[i].Value, least))
				x, y = append(x, paths[0][j].X), append(y, paths[0][j].Y)
			}
			isLog(t, name+": "+f.Name+": x", sizes, x)
			isLog(t, name+": "+f.Name+": y", figures, y)
		}
		for suffix, count := range map[string]int{"": colour[s.Name], "-memory": colour[s.Name+"-memory"]} {
			if _, ok := byName[s.Name+suffix]; ok != (count > 0) {
				t.Errorf("%s%s: a picture: %t, for %d figures", s.Name, suffix, ok, count)
			}
		}
	}
}

// A run that leaves out all sizes but one has a picture, too.
func TestOneSize(t *testing.T) {
	s := series{Name: "list", Title: "A list", Grows: "items", Points: []point{{Size: 1, Figures: []figure{{Name: "create", Value: 7}}}}}
	pictures, err := s.pictures()
	if err != nil || len(pictures) != 1 {
		t.Fatalf("%d pictures, %v", len(pictures), err)
	}
	d := drawn(t, pictures[0])
	d.has(t, "1", "10", "create: 7 ns")
	marks := slices.DeleteFunc(d.shapes, func(s shape) bool { return s.path != nil || !strings.Contains(s.style, "fill:"+hex(0)) })
	if len(marks) != 2 {
		t.Errorf("%d marks, and not one in the picture and one in the legend", len(marks))
	}
}

func TestRefused(t *testing.T) {
	for input, want := range map[string]string{
		"":   "unexpected end of JSON input",
		"[]": "cannot unmarshal array",
		"{}": "no figures",
		`{"series":[{"name":"list","points":null}]}`:                                                                              "no figures",
		`{"results":[{"name":"read","pythonByGo":{}}]}`:                                                                           `"read" has no figure`,
		`{"tables":[{"name":"frame","ways":[]}]}`:                                                                                 "no figures",
		`{"tables":[{"name":"frame","ways":[{"name":"pipe","tripNs":{"median":-1}}]}]}`:                                           `"pipe" has no figure`,
		`{"series":[{"name":"list","points":[{"size":1,"figures":[{"name":"get","value":-1}]}]}]}`:                                `"get": a logarithmic scale has no -1 at 1`,
		`{"series":[{"name":"list","points":[{"figures":[{"name":"get","value":1}]}]}]}`:                                          `"get": a logarithmic scale has no 1 at 0`,
		`{"series":[{"name":"list","points":[{"size":1,"figures":[{"name":"get","value":1}]},{"size":10}]}]}`:                     `list: size 10 has no figure "get"`,
		`{"series":[{"name":"list","points":[{"size":1,"figures":[{"name":"a"}]},{"size":2,"figures":[{"name":"b","value":1}]}]}`: "unexpected end",
		`{"series":[{"name":"list","points":[{"size":1,"figures":[{"name":"a"}]},{"size":2,"figures":[{"name":"b"}]}]}]}`:         `list: size 2 has no figure "a"`,
	} {
		folder := t.TempDir()
		err := run(strings.NewReader(input), filepath.Join(folder, "picture.svg"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", input, err, want)
		}
		if files := svgs(t, folder); len(files) > 0 {
			t.Errorf("%s: there is a picture", input)
		}
	}
	if err := run(open(t, "scale.json"), filepath.Join(t.TempDir(), "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("drawing into a missing folder: %v", err)
	}
}

func open(t *testing.T, name string) io.Reader {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(speed, name))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

func load(t *testing.T, name string) (r report) {
	t.Helper()
	if err := json.NewDecoder(open(t, name)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func svgs(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// A xy is a place. Y grows upwards.
type xy struct{ X, Y float64 }

// A drawing is a picture as a reader of the SVG sees it.
type drawing struct {
	texts  map[string]xy
	shapes []shape
}

type shape struct {
	style string
	path  []xy
}

func drawn(t *testing.T, p picture) drawing {
	t.Helper()
	var svg bytes.Buffer
	if err := p.write(&svg); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(svg.Bytes(), []byte("NaN")) {
		t.Errorf("%s: a place is not a number", p.title)
	}
	d := drawing{texts: map[string]xy{}}
	decoder := xml.NewDecoder(&svg)
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		attributes := map[string]string{}
		for _, a := range element.Attr {
			attributes[a.Name.Local] = a.Value
		}
		switch element.Name.Local {
		case "text":
			var text string
			if err := decoder.DecodeElement(&text, &element); err != nil {
				t.Fatal(err)
			}
			d.texts[text] = xy{number(t, attributes["x"]), -number(t, attributes["y"])}
			if !strings.Contains(attributes["style"], "sans-serif") {
				t.Errorf("%q has no font that every system has: %s", text, attributes["style"])
			}
		case "path":
			d.shapes = append(d.shapes, shape{attributes["style"], points(t, attributes["d"])})
		}
	}
}

// points returns the ends of the straight lines of a path.
func points(t *testing.T, path string) (all []xy) {
	t.Helper()
	if strings.Contains(path, "A") { // of the marks on lines
		return nil
	}
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("MLZ", r) }) {
		x, y, _ := strings.Cut(step, ",")
		all = append(all, xy{number(t, x), number(t, y)})
	}
	return all
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (d *drawing) has(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, ok := d.texts[text]; !ok {
			t.Errorf("%q is not in the picture, which has %q", text, slices.Sorted(maps.Keys(d.texts)))
		}
	}
}

// paths returns the paths whose style has all the parts.
func (d *drawing) paths(styles ...string) (found [][]xy) {
	for _, s := range d.shapes {
		if s.path != nil && !slices.ContainsFunc(styles, func(style string) bool { return !strings.Contains(s.style, style) }) {
			found = append(found, s.path)
		}
	}
	return found
}

func hex(colour int) string {
	r, g, b, _ := colours[colour].RGBA()
	return fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)
}

// isLog checks that places are a linear function of the logarithms of figures, and grow
// with them.
func isLog(t *testing.T, name string, figures, places []float64) {
	t.Helper()
	least, most := 0, 0
	for i, f := range figures {
		if f < figures[least] {
			least = i
		}
		if f > figures[most] {
			most = i
		}
	}
	powers := math.Log10(figures[most] / figures[least])
	length := places[most] - places[least]
	if powers > 0 && length <= 0 {
		t.Errorf("%s: %v lie at %v, which do not grow with them", name, figures, places)
	}
	for i, f := range figures {
		want := places[least]
		if powers > 0 {
			want += length * math.Log10(f/figures[least]) / powers
		}
		if math.Abs(places[i]-want) > 0.1 {
			t.Errorf("%s: %v lies at %v, want %v", name, f, places[i], want)
		}
	}
}
