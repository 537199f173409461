package conformance

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A viewRow has values of a type that the elements of a block may have.
type viewRow struct {
	dtype  string   // the type in numpy
	format string   // and in struct, which has no complex numbers
	python string   // the values in Python
	ours   elements // and in Go
}

var viewRows = []viewRow{
	{"int8", "b", "(-128, -1, 127)", elementsOf[int8]{math.MinInt8, -1, math.MaxInt8}},
	{"int16", "h", "(-2**15, -1, 2**15 - 1)", elementsOf[int16]{math.MinInt16, -1, math.MaxInt16}},
	{"int32", "i", "(-2**31, -1, 2**31 - 1)", elementsOf[int32]{math.MinInt32, -1, math.MaxInt32}},
	{"int64", "q", "(-2**63, -1, 2**63 - 1)", elementsOf[int64]{math.MinInt64, -1, math.MaxInt64}},
	{"uint8", "B", "(0, 1, 255)", elementsOf[uint8]{0, 1, math.MaxUint8}},
	{"uint16", "H", "(0, 1, 2**16 - 1)", elementsOf[uint16]{0, 1, math.MaxUint16}},
	{"uint32", "I", "(0, 1, 2**32 - 1)", elementsOf[uint32]{0, 1, math.MaxUint32}},
	{"uint64", "Q", "(0, 1, 2**64 - 1)", elementsOf[uint64]{0, 1, math.MaxUint64}},
	{"float32", "f", "(-0.5, 2**-149, float('inf'))", elementsOf[float32]{-0.5, math.SmallestNonzeroFloat32, float32(math.Inf(1))}},
	{"float64", "d", "(0.1, 5e-324, -float('inf'))", elementsOf[float64]{0.1, math.SmallestNonzeroFloat64, math.Inf(-1)}},
	{"complex64", "", "(1.5-2j, 0j, 0.25j)", elementsOf[complex64]{1.5 - 2i, 0, 0.25i}},
	{"complex128", "", "(0.1-2j, 0j, 5e-324j)", elementsOf[complex128]{0.1 - 2i, 0, complex(0, math.SmallestNonzeroFloat64)}},
}

// viewOffset is the offset of the first element, in bytes.
const viewOffset = 16

// elements are values that Go looks for, or puts, into a block.
type elements interface {
	areIn(*testing.T, *pyshm.SharedMemory) bool
	put(*testing.T, *pyshm.SharedMemory)
}

type elementsOf[T pyshm.Element] []T

func (e elementsOf[T]) areIn(t *testing.T, m *pyshm.SharedMemory) (are bool) {
	check(t, pyshm.WithView(m, viewOffset, len(e), func(v []T) error {
		are = slices.Equal(v, e)
		return nil
	}))
	return are && slices.Equal(must(pyshm.View[T](m, viewOffset, len(e)))(t), e)
}

func (e elementsOf[T]) put(t *testing.T, m *pyshm.SharedMemory) {
	check(t, pyshm.WithView(m, viewOffset, len(e), func(v []T) error {
		copy(v, e)
		return nil
	}))
}

func testStruct(t *testing.T, p *compat.Peer) {
	for _, row := range viewRows {
		if row.format != "" {
			row.test(t, p,
				fmt.Sprintf("struct.pack_into('3%s', made.buf, %d, *%s)", row.format, viewOffset, row.python),
				fmt.Sprintf("struct.unpack_from('3%s', made.buf, %d) == %s", row.format, viewOffset, row.python))
		}
	}
}

func testNumpy(t *testing.T, p *compat.Peer) {
	if !p.Interpreter().HasNumpy {
		t.Skip("this interpreter has no numpy")
	}
	check(t, p.Exec("import numpy"))
	for _, row := range viewRows {
		array := fmt.Sprintf("numpy.frombuffer(made.buf, '%s', 3, %d)", row.dtype, viewOffset)
		row.test(t, p, array+"[:] = "+row.python, "tuple("+array+".tolist()) == "+row.python)
	}
}

// test lets Python store the values and Go view them, and the other way round.
func (row viewRow) test(t *testing.T, p *compat.Peer, store, compare string) {
	t.Run(row.dtype, func(t *testing.T) {
		ours := must(pyshm.Create(newName(t), 64))(t)
		defer ours.Close()
		check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q)", ours.Name())))
		defer p.Exec("made.unlink(); made.close()")
		check(t, p.Exec(store))
		if !row.ours.areIn(t, ours) {
			t.Errorf("Python has stored %s, Go sees % x", row.python, ours.Bytes())
		}
		clear(ours.Bytes())
		row.ours.put(t, ours)
		if must(p.Eval(compare))(t) != true {
			t.Errorf("Go has put %v, Python sees something else", row.ours)
		}
	})
}
