package npy_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

// TestFixtures reads the files that the oldest and the newest numpy wrote, and writes
// their headers. testdata/npy/README.md describes them.
func TestFixtures(t *testing.T) {
	manifests, err := filepath.Glob("../../testdata/npy/*/manifest.json")
	if err != nil || len(manifests) < 2 {
		t.Fatal("no fixtures: ", err)
	}
	for _, name := range manifests {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct{ Arrays []fixture }
		if err := json.Unmarshal(text, &manifest); err != nil || len(manifest.Arrays) == 0 {
			t.Fatal(name, err)
		}
		for _, f := range manifest.Arrays {
			t.Run(filepath.Base(filepath.Dir(name))+"/"+f.Name, func(t *testing.T) { f.check(t, filepath.Dir(name)) })
		}
	}
}

// A fixture is an entry of the manifest.
type fixture struct {
	Name, File, Descr, Native string
	Shape                     []int
	Fortran                   bool
	ItemSize, Offset          int
}

func (f fixture) check(t *testing.T, dir string) {
	file, err := os.ReadFile(filepath.Join(dir, f.File))
	if err != nil {
		t.Fatal(err)
	}
	h, offset, err := npy.ParseHeader(file)
	if err != nil {
		t.Fatal(err)
	}
	size, err := h.Size()
	if h.Dtype.String() != strings.Trim(f.Descr, "'") || !slices.Equal(h.Shape, f.Shape) || h.Fortran != f.Fortran || h.Dtype.Size() != f.ItemSize || offset != f.Offset || offset+size != len(file) || err != nil {
		t.Errorf("%v at %d with %d bytes, %v; numpy says %+v", h, offset, size, err, f)
	}
	written, err := npy.AppendHeader(nil, h)
	if err != nil || !bytes.Equal(headerText(written), headerText(file[:offset])) {
		t.Errorf("%q, %v; numpy wrote %q", written, err, file[:offset])
	}
	if f.Native == "" {
		return
	}
	data := inOrder(h, file[offset:])
	if err := h.Dtype.Swap(data); err != nil || hex.EncodeToString(data) != f.Native && nativeOrder == "<" {
		t.Errorf("%x, %v; numpy has %s", data, err, f.Native)
	}
}

// headerText returns a header without the parts that differ between versions of numpy:
// its length, and the number of spaces.
func headerText(header []byte) []byte { return bytes.TrimRight(header[10:], " \n") }

// inOrder returns a copy of the elements in C order.
func inOrder(h npy.Header, data []byte) []byte {
	var ordered []byte
	size, strides := h.Dtype.Size(), h.Strides()
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(h.Shape) {
			ordered = append(ordered, data[at:at+size]...)
			return
		}
		for i := range h.Shape[axis] {
			walk(axis+1, at+i*strides[axis])
		}
	}
	walk(0, 0)
	return ordered
}

// Go can use the elements that numpy wrote as the Go type that each fixture is for.
func TestFixturesAsGoTypes(t *testing.T) {
	tick, err := npy.DtypeOf[Tick]()
	if err != nil {
		t.Fatal(err)
	}
	for name, fits := range map[string]bool{"tick": true, "aligned": false, "packed": false} {
		file, err := os.ReadFile("../../testdata/npy/numpy-1.17/" + name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := npy.ParseHeader(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.As(tick)
		if fits && nativeOrder == "<" && err != nil || !fits && (err == nil || !strings.Contains(err.Error(), "Tick.t is missing")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
