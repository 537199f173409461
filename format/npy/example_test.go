// The outputs are from a little-endian machine.
//
//go:build !armbe && !arm64be && !m68k && !mips && !mips64 && !ppc && !ppc64 && !s390 && !s390x && !shbe && !sparc && !sparc64

package npy_test

import (
	"fmt"
	"log"

	"github.com/pyshm-go/pyshm/format/npy"
)

type trade struct {
	T     int64 `numpy:"t,M8[ns]"`
	Price float64
	Qty   int32
	Side  uint8 `numpy:"side,S1"`
}

func ExampleDtypeOf() {
	d, err := npy.DtypeOf[trade]()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d)
	fmt.Println(d.Size(), "bytes")

	_, err = npy.DtypeOf[struct{ OK bool }]()
	fmt.Println(err)
	// Output:
	// [('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', '|S1'), ('', '|V3')]
	// 24 bytes
	// npy: dtype of: struct.OK: bool breaks if another process writes a byte other than 0 and 1: write uint8 and the tag `numpy:"name,b1"`, or npy.Bool
}

func ExampleDtype_Check() {
	g, err := npy.DtypeOf[trade]()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range []string{
		// np.dtype of these fields, with align=True and without.
		"[('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', 'S1'), ('', 'V3')]",
		"[('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', 'S1')]",
		"[('t', '<M8[us]'), ('price', '<f8'), ('qty', '<i4'), ('side', 'S1'), ('', 'V3')]",
		"[('t', '<M8[ns]'), ('price', '>f8'), ('qty', '<i4'), ('side', 'S1'), ('', 'V3')]",
	} {
		d, err := npy.ParseDtype(s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Check(g))
	}
	// Output:
	// <nil>
	// npy: check: trade has 21 bytes, not 24: make the dtype with align=True, which pads as Go does
	// npy: check: trade.t: '<M8[us]' is not '<M8[ns]'
	// npy: check: trade.price: '>f8' has the other byte order than '<f8': copy the elements and turn them
}

func ExampleParseDtype() {
	for _, s := range []string{"float32", "datetime64[ns]", "[('x', '<f4'), ('y', '<f4')]", "object"} {
		d, err := npy.ParseDtype(s)
		fmt.Println(d, d.Name(), err)
	}
	// Output:
	// <f4 float32 <nil>
	// <M8[ns] datetime64[ns] <nil>
	// [('x', '<f4'), ('y', '<f4')] [('x', '<f4'), ('y', '<f4')] <nil>
	//   npy: parse dtype: 'object': objects are pointers into one Python process
}

func ExampleAppendHeader() {
	d, err := npy.DtypeOf[float64]()
	if err != nil {
		log.Fatal(err)
	}
	file, err := npy.AppendHeader(nil, npy.Header{Dtype: d, Shape: []int{480, 640}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes, then the data\n%q\n", len(file), file[:70])
	// Output:
	// 128 bytes, then the data
	// "\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (480, 640)"
}

func ExampleParseHeader() {
	// The beginning of a file of np.save, up to the data.
	file := []byte("\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }" +
		"                                                           \n")
	h, offset, err := npy.ParseHeader(file)
	if err != nil {
		log.Fatal(err)
	}
	size, err := h.Size()
	fmt.Println(h.Dtype, h.Shape, h.Strides(), "at", offset, "for", size, err)
	// Output: <i2 [2 3] [2 4] at 128 for 12 <nil>
}

func ExampleHeader_As() {
	pixel, err := npy.DtypeOf[[3]uint8]()
	if err != nil {
		log.Fatal(err)
	}
	d, err := npy.ParseDtype("uint8")
	if err != nil {
		log.Fatal(err)
	}
	image, err := npy.Header{Dtype: d, Shape: []int{480, 640, 3}}.As(pixel)
	fmt.Println(image.Shape, image.Dtype, err)
	// Output: [480 640] ('|u1', (3,)) <nil>
}

func ExampleDtype_Swap() {
	d, err := npy.ParseDtype(">u4")
	if err != nil {
		log.Fatal(err)
	}
	elements := []byte{0, 0, 0, 1, 0, 0, 0, 2} // a copy of elements that another machine wrote
	fmt.Printf("%v %v %d\n", d.Swapped(), d.Swap(elements), elements)
	// Output: true <nil> [1 0 0 0 2 0 0 0]
}

func ExampleGetText() {
	element := make([]rune, 5) // numpy's U5
	if err := npy.PutText(element, "héé"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(npy.GetText(element))
	element[1] = 0x110000 // another process may write anything
	fmt.Println(npy.GetText(element))
	// Output:
	// héé <nil>
	//  npy: text: character 1 is 0x110000, which is no code point
}

func ExampleFloat16() {
	h := npy.Float16Of(0.1)
	fmt.Printf("%#04x %v\n", uint16(h), h.Float32())
	// Output: 0x2e66 0.099975586
}
