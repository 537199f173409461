package pyshm_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestView(t *testing.T) {
	m := create(t, 4096)
	words, err := pyshm.View[uint64](m, 0, 512)
	if err != nil {
		t.Fatal(err)
	}
	if len(words) != 512 || cap(words) != 512 {
		t.Fatalf("%d words of %d", len(words), cap(words))
	}
	words[1] = math.Float64bits(1.5)
	words[511] = math.MaxUint64

	floats, err := pyshm.View[float64](m, 8, 1)
	if err != nil || floats[0] != 1.5 {
		t.Errorf("float64: %v, %v", floats, err)
	}
	type celsius float32
	last, err := pyshm.View[celsius](m, 4092, 1)
	if err != nil || !math.IsNaN(float64(last[0])) {
		t.Errorf("last float32: %v, %v", last, err)
	}
	bytes, err := pyshm.View[int8](m, 4095, 1)
	if err != nil || bytes[0] != -1 {
		t.Errorf("last int8: %v, %v", bytes, err)
	}
	none, err := pyshm.View[complex128](m, 4096, 0)
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("no complex128 at the end: %v, %v", none, err)
	}
}

func TestViewRefuses(t *testing.T) {
	m := create(t, 100)
	for _, tc := range []struct {
		offset, n int
		want      error
	}{
		{0, 13, fs.ErrInvalid},
		{96, 1, fs.ErrInvalid},
		{104, 0, fs.ErrInvalid},
		{-8, 1, fs.ErrInvalid},
		{0, -1, fs.ErrInvalid},
		{math.MinInt, 1, fs.ErrInvalid},
		{math.MaxInt, 1, fs.ErrInvalid},
		{8, math.MaxInt, fs.ErrInvalid},
		{0, math.MaxInt/8 + 2, fs.ErrInvalid}, // times 8 is 8 again
		{1, 1, format.ErrUnaligned},
		{10, 1, format.ErrUnaligned},
		{90, 1, format.ErrUnaligned},
	} {
		v, err := pyshm.View[int64](m, tc.offset, tc.n)
		if v != nil || !errors.Is(err, tc.want) {
			t.Errorf("%d elements at %d: %v, %v; want %v", tc.n, tc.offset, v, err, tc.want)
		}
		err = pyshm.WithView(m, tc.offset, tc.n, func([]int64) error { t.Error("called"); return nil })
		if !errors.Is(err, tc.want) {
			t.Errorf("%d elements at %d, lent: %v; want %v", tc.n, tc.offset, err, tc.want)
		}
	}
	// A refused view does not keep the memory; see TestForgottenHandle.
	if v, err := pyshm.View[int64](m, 88, 1); err != nil || len(v) != 1 {
		t.Errorf("last element: %v, %v", v, err)
	}
}

// Every bit pattern has to be a valid element, and elements have to have the
// same size everywhere.
func TestElementTypes(t *testing.T) {
	source, err := os.ReadFile("view.go")
	if err != nil {
		t.Fatal(err)
	}
	_, element, _ := strings.Cut(string(source), "type Element interface {")
	element, _, found := strings.Cut(element, "}")
	if !found {
		t.Fatal("no Element in view.go")
	}
	for name, want := range map[string]bool{
		"int8": true, "int16": true, "int32": true, "int64": true,
		"uint8": true, "uint16": true, "uint32": true, "uint64": true,
		"float32": true, "float64": true, "complex64": true, "complex128": true, "named": true,
		"bool": false, "int": false, "uint": false, "uintptr": false, "string": false,
		"*int8": false, "[]byte": false, "[4]int8": false, "struct{}": false, "any": false,
	} {
		err := typeCheck(t, "package p\ntype named uint16\ntype Element interface {"+element+"}\nvar _ of["+name+"]\ntype of[T Element] []T\n")
		if (err == nil) != want {
			t.Errorf("%s as Element: %v", name, err)
		}
	}
}

func typeCheck(t *testing.T, source string) error {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = new(types.Config).Check("p", files, []*ast.File{f}, nil)
	return err
}
