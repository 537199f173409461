package npy

import "slices"

// As returns h as an array of elements that Go sees as g, which [DtypeOf] made, or the
// error of [Dtype.Check]. If g is a [KindSubarray], its axes are the last ones of an array
// in C order: elements [3]uint8 make an image of shape (480, 640, 3) one of (480, 640).
//
// Where that fails with [ErrByteOrder], a copy that [Dtype.Swap] of h.Dtype has turned is
// an array of h with the dtype [Dtype.Native].
func (h Header) As(g Dtype) (Header, error) {
	if g.kind != KindSubarray || h.Dtype.kind == KindSubarray {
		if err := h.Dtype.Check(g); err != nil {
			return Header{}, err
		}
		return Header{Dtype: g, Shape: slices.Clone(h.Shape), Fortran: h.Fortran}, nil
	}
	axes := len(h.Shape) - len(g.parts.shape)
	if axes < 0 || !slices.Equal(h.Shape[axes:], g.parts.shape) {
		return Header{}, failf("check", "", ErrMismatch, "the last axes of %s are not %s", appendShape(nil, h.Shape), appendShape(nil, g.parts.shape))
	}
	if h.Fortran && !h.contiguous() {
		return Header{}, failf("check", "", ErrMismatch, "elements of several numbers need an array in C order, not in Fortran order")
	}
	if err := h.Dtype.Check(g.parts.elem); err != nil {
		return Header{}, err
	}
	return Header{Dtype: g, Shape: slices.Clone(h.Shape[:axes])}, nil
}
