package npy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Check returns nil if a program can use elements of d as elements of g, which [DtypeOf]
// returned for a Go type. Otherwise the error gives the path of the field and the
// reason:
//
//	Tick.price: '<f4' is not '<f8'
//	Tick.qty is at 8, not 12: …
//
// The fields must have the same names in the same order, and the same offsets, kinds,
// sizes, units and shapes. A record must have the same size as in Go, padding included.
// On 64-bit machines and on 386 np.dtype(…, align=True) makes such records. On 32-bit arm
// and mips, Go has less padding than C: a field called _ in the Go type adds it. numpy's
// default has no padding, and seldom fits. Titles do not matter.
//
// The error is [ErrByteOrder] if the byte order of numbers is the only difference: a
// copy that [Dtype.Swap] has turned can then be used as g. Any other difference is
// [ErrMismatch].
func (d Dtype) Check(g Dtype) error {
	if d.kind == 0 || g.kind == 0 {
		return failf("check", "", ErrDtype, "a dtype is missing")
	}
	path := ""
	if g.kind == KindRecord {
		path = g.parts.goType
	}
	if err := d.check(g, path); err != nil {
		return err
	}
	return d.checkOrder(g, path)
}

// check compares everything but byte orders.
func (d Dtype) check(g Dtype, path string) error {
	if d.kind == KindRecord && g.kind == KindRecord {
		return d.checkRecord(g, path)
	}
	same := d.kind == g.kind && d.size == g.size && d.unit == g.unit && d.multiple == g.multiple
	if d.kind == KindSubarray && g.kind == KindSubarray {
		if slices.Equal(d.parts.shape, g.parts.shape) {
			return d.parts.elem.check(g.parts.elem, path)
		}
		same = false
	}
	if same {
		return nil
	}
	return failf("check", path, ErrMismatch, "%s%s is not %s%s", prefix(path), show(d), show(g), d.tagHint(g))
}

// tagHint names the tag that would give a field of g's Go type the kind of d.
func (d Dtype) tagHint(g Dtype) string {
	e, h := d.Elem(), g
	for h.kind == KindSubarray && h.size != e.size {
		h = h.Elem()
	}
	bits := h.Elem().kind == KindInt || h.Elem().kind == KindUint
	tags := map[Kind]int{KindBool: 1, KindDatetime: 8, KindTimedelta: 8, KindBytes: 1, KindVoid: 1, KindText: 4}
	if !bits || e.size != h.size || tags[e.kind] != h.Elem().size || e.kind == h.kind {
		return ""
	}
	return fmt.Sprintf(": the tag `numpy:\"name,%s\"` makes it one", e.letter())
}

// prefix returns the text in front of a reason.
func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// show returns the spelling of a dtype, shortened.
func show(d Dtype) string {
	const limit = 100
	s := d.descr()
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// printable returns a name for a path. Another process may have chosen the name.
func printable(name string) string {
	const limit = 60
	if len(name) > limit || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return excerpt(name)
	}
	return name
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func (d Dtype) checkRecord(g Dtype, path string) error {
	have, want := d.parts.fields, g.parts.fields
	for i, w := range want {
		at := join(path, w.Name)
		place := slices.IndexFunc(have, func(f Field) bool { return f.Name == w.Name })
		switch {
		case place < 0:
			return failf("check", at, ErrMismatch, "%s is missing", at)
		case place != i:
			return failf("check", at, ErrMismatch, "%s is field %d, not %d", at, place, i)
		case have[i].Offset != w.Offset:
			return failf("check", at, ErrMismatch, "%s is at %d, not %d%s", at, have[i].Offset, w.Offset, d.offsetHint(i, w.Offset))
		}
		if err := have[i].Dtype.check(w.Dtype, at); err != nil {
			return err
		}
	}
	if len(have) > len(want) {
		at := join(path, printable(have[len(want)].Name))
		return failf("check", at, ErrMismatch, "%s is not in Go's type", at)
	}
	if d.size != g.size {
		return failf("check", path, ErrMismatch, "%s has %d bytes, not %d%s", subject(path), d.size, g.size, d.sizeHint(g.size))
	}
	return nil
}

func subject(path string) string {
	if path == "" {
		return "the record"
	}
	return path
}

// offsetHint returns the remedy for a field that Go has at another offset.
func (d Dtype) offsetHint(field, inGo int) string {
	aligned, err := d.aligned()
	if err != nil {
		return ""
	}
	return d.hint(aligned.parts.fields[field].Offset, inGo, "in front of it")
}

// sizeHint returns the remedy for a record that has another size in Go.
func (d Dtype) sizeHint(inGo int) string {
	aligned, err := d.aligned()
	if err != nil {
		return ""
	}
	return d.hint(aligned.size, inGo, "at the end")
}

// aligned returns the dtype that align=True makes of a record without gaps, which is
// numpy's default.
func (d Dtype) aligned() (Dtype, error) {
	if !d.packed() {
		return d, nil
	}
	return alignRecord(d)
}

// hint returns the remedy for an offset or a size that is aligned in a dtype with
// align=True, and inGo in Go's type.
func (d Dtype) hint(aligned, inGo int, where string) string {
	switch {
	case aligned == inGo && d.packed():
		return ": make the dtype with align=True, which pads as Go does"
	case aligned > inGo && aligned-inGo < maxAlignment && goMaxAlignment < min(maxAlignment, 8):
		return fmt.Sprintf(": on this machine align=True pads more than Go: add a field _ [%d]byte %s in Go's type", aligned-inGo, where)
	case aligned < inGo && d.packed():
		return ": on this machine align=True pads less: make the dtype of a dict with 'offsets' and 'itemsize'"
	}
	return ""
}

// checkOrder compares the byte orders of dtypes that are otherwise alike.
func (d Dtype) checkOrder(g Dtype, path string) error {
	switch {
	case d.kind == KindSubarray:
		return d.parts.elem.checkOrder(g.parts.elem, path)
	case d.kind == KindRecord:
		for i, f := range d.parts.fields {
			if err := f.Dtype.checkOrder(g.parts.fields[i].Dtype, join(path, f.Name)); err != nil {
				return err
			}
		}
	case d.swapped != g.swapped:
		return failf("check", path, ErrByteOrder, "%s%s has the other byte order than %s: copy the elements and turn them", prefix(path), show(d), show(g))
	}
	return nil
}
