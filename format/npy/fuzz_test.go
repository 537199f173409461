package npy_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// Fuzzing parses arbitrary bytes between inaccessible pages. A panic or a fault is an
// error. It is an error, too, if a call allocates out of proportion, or if an accepted
// header is another one after writing and reading it again.
//
//	go test ./format/npy -run '^$' -fuzz FuzzParseHeader -fuzztime 1000000x -fuzzminimizetime 1x

// memoryPerByte is how much memory a byte of text may take: a field of ten bytes is
// more than that in Go, and the slices of fields grow by doubling.
const memoryPerByte = 64

// texts are dtypes, right and wrong ones.
var texts = []string{
	"<f8", ">M8[25s]", "float64", "datetime64[ns]", "|S5", "<U3", "?", "O", "('<f4', (2, 3))",
	"[('a', '|u1'), ('', '|V7'), ('b', '<f8', (2,)), (('T', 'c'), [('x', '>i2')])]",
	"{'names': ['a', 'b'], 'formats': ['?', ('<f4', (2,))], 'offsets': [0, 4], 'titles': ['T', None], 'itemsize': 16, 'aligned': True}",
	"{'names': ['a'], 'formats': [[('b', 'u1'), ('c', '<f8'), ('d', '<c32')]], 'offsets': [8], 'itemsize': 64, 'aligned': True}",
	`[("it's", '<c8'), ('\\\n\x7f\u20ac', '<f2')]`, "[('a', 'u1', 3), ('b', ('u1', (2, 3)))]",
	"[('a', 'u1'), ('\\x1b[2J', '>i4')]", "[('a', 'u1'), ('" + strings.Repeat("é", 200) + "', '>i4')]",
	"[('a', [('" + strings.Repeat("é", 200) + "', '>i4')])]", "[('a', 'f8', (65536, 65536))]", nested(10), nested(17), strings.Repeat("(", 300), "{'names': [[[[", "[('a', {'names'",
}

func FuzzParseHeader(f *testing.F) {
	for _, v := range vectors {
		f.Add(v1(v.text + strings.Repeat(" ", v.spaces) + "\n"))
	}
	for i, text := range texts {
		f.Add(v1(with("'" + text + "'")))
		f.Add(later(byte(2+i%2), with(text)))
	}
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{"))
	f.Add(v1("{'descr': 'f8', 'fortran_order': True, 'shape': (4611686018427387904, 0, 2L)}"))
	r := newRoom(f, 4)
	f.Fuzz(func(t *testing.T, data []byte) {
		r.each(data, func(buf []byte) {
			h, offset, err := npy.ParseHeader(buf)
			if err != nil {
				checkError(t, err, npy.ErrHeader, npy.ErrDtype, npy.ErrShape)
				if offset != 0 || h.Dtype.Kind() != 0 || h.Shape != nil {
					t.Errorf("%v, %d with %v", h, offset, err)
				}
				return
			}
			if offset > len(buf) || offset < 10 {
				t.Errorf("the data begins at %d of %d", offset, len(buf))
			}
			checkHeader(t, h)
			if !bytes.Equal(buf, data[:len(buf)]) {
				t.Error("reading has changed the buffer")
			}
		})
		checkAllocation(t, len(data), func() { _, _, _ = npy.ParseHeader(data) })
	})
}

// checkHeader writes a header that was read, and reads it again.
func checkHeader(t *testing.T, h npy.Header) {
	t.Helper()
	checkDtype(t, h.Dtype)
	size, err := h.Size()
	n, lenErr := h.Len()
	if err != nil || lenErr != nil || size != n*h.Dtype.Size() || len(h.Strides()) != len(h.Shape) {
		t.Errorf("%v: %d elements, %d bytes, %v, %v", h, n, size, err, lenErr)
	}
	b, err := npy.AppendHeader(nil, h)
	if err != nil {
		if !strings.Contains(err.Error(), "not ASCII") && !strings.Contains(err.Error(), "numpy reads") {
			t.Errorf("%v cannot be written: %v", h, err)
		}
		return
	}
	again, offset, err := npy.ParseHeader(b)
	if err != nil || offset != len(b) || offset%64 != 0 || !again.Dtype.Equal(h.Dtype) || !slices.Equal(again.Shape, h.Shape) {
		t.Errorf("%v is written as %q and read as %v, %v", h, b, again, err)
	}
	if again.Fortran != h.Fortran && !slices.Equal(again.Strides(), h.Strides()) && long(h.Shape) > 1 {
		t.Errorf("%v loses its order", h)
	}
}

// long counts the axes of more than one element, none if there is an empty one.
func long(shape []int) (n int) {
	for _, length := range shape {
		if length == 0 {
			return 0
		}
		if length > 1 {
			n++
		}
	}
	return n
}

func FuzzParseDtype(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := npy.ParseDtype(s)
		if err != nil {
			checkError(t, err, npy.ErrDtype)
		} else {
			checkDtype(t, d)
		}
		checkAllocation(t, len(s), func() { _, _ = npy.ParseDtype(s) })
	})
}

// Dtypes are compared with checked, a record whose fields the fuzzer easily meets.
var checked = func() npy.Dtype {
	d, err := npy.DtypeOf[struct{ A uint8 }]()
	if err != nil {
		panic(err)
	}
	return d
}()

// checkDtype prints a dtype in every way, reads it again, swaps and compares it.
func checkDtype(t *testing.T, d npy.Dtype) {
	t.Helper()
	if d.Size() < 1 || d.Size() > math.MaxInt32 || d.Kind() == 0 {
		t.Errorf("%v has %d bytes", d, d.Size())
	}
	for _, s := range []string{d.String(), d.Name()} {
		again, err := npy.ParseDtype(s)
		if err != nil && strings.Contains(err.Error(), "10000 bytes") {
			continue
		}
		if err != nil || !again.Equal(d) || !d.Equal(again) {
			t.Errorf("%v printed as %q is %v, %v", d, s, again, err)
		}
	}
	if err := d.Check(d); err != nil {
		t.Errorf("%v does not fit itself: %v", d, err)
	}
	if err := d.Check(checked); err != nil {
		checkError(t, err, npy.ErrMismatch, npy.ErrByteOrder)
	}
	native := d.Native()
	if native.Swapped() || native.Size() != d.Size() || (d.Check(native) == nil) == d.Swapped() {
		t.Errorf("%v is natively %v: %v", d, native, d.Check(native))
	}
	if d.Size() <= 1<<10 {
		b := make([]byte, 3*d.Size())
		for i := range b {
			b[i] = byte(i)
		}
		before := bytes.Clone(b)
		if d.Swap(b) != nil || bytes.Equal(b, before) == d.Swapped() || d.Swap(b) != nil || !bytes.Equal(b, before) {
			t.Errorf("%v: swapping twice makes %v of %v", d, b, before)
		}
	}
}

// checkError fails unless err is an *Error around one of kinds that can be printed.
func checkError(t *testing.T, err error, kinds ...error) {
	t.Helper()
	e, ok := errors.AsType[*npy.Error](err)
	if !ok || !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) || e.Offset < -1 {
		t.Errorf("%#v: %v", err, err)
	}
	testkit.CheckPrintable(t, err)
}

// checkAllocation fails if call allocates more than the text justifies.
func checkAllocation(t *testing.T, length int, call func()) {
	t.Helper()
	limit := uint64(memoryPerByte*min(length, 10<<10) + 2<<10)
	if least := alloctest.Least(limit, call); least > limit {
		t.Errorf("%d bytes of text take %d bytes of memory, more than %d", length, least, limit)
	}
}

// FuzzAppendHeader writes headers of arbitrary dtypes and shapes.
func FuzzAppendHeader(f *testing.F) {
	for i, text := range texts {
		f.Add(text, int64(i), int64(3), int64(0), i%4, i%2 == 0)
	}
	f.Add("u1", int64(math.MaxInt64), int64(2), int64(0), 3, true)
	f.Add("f8", int64(-1), int64(math.MinInt64), int64(1), 2, true)
	f.Fuzz(func(t *testing.T, s string, a, b, c int64, axes int, fortran bool) {
		d, err := npy.ParseDtype(s)
		if err != nil {
			return
		}
		h := npy.Header{Dtype: d, Shape: []int{int(a), int(b), int(c)}[:uint(axes)%4], Fortran: fortran}
		written, err := npy.AppendHeader([]byte{1}, h)
		if err != nil {
			checkError(t, err, npy.ErrDtype, npy.ErrShape)
			if len(written) != 1 {
				t.Errorf("%v is refused (%v), but something was written", h, err)
			}
			return
		}
		read, offset, err := npy.ParseHeader(written[1:])
		if err != nil || offset != len(written)-1 {
			t.Fatalf("%v is written as %q: %v", h, written, err)
		}
		want, wantErr := h.Size()
		if got, err := read.Size(); got != want || err != nil || wantErr != nil {
			t.Errorf("%v has %d bytes (%v), and %d when read (%v)", h, want, wantErr, got, err)
		}
		if as, err := read.As(d.Native()); err == nil && (!slices.Equal(as.Shape, h.Shape) || d.Swapped()) {
			t.Errorf("%v is %v as its own elements", h, as)
		} else if err != nil && !d.Swapped() {
			t.Errorf("%v is not of its own elements: %v", h, err)
		}
	})
}
