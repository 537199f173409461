package npy

import "slices"

// As returns the header of the same array for elements that Go uses as g, which [DtypeOf]
// returned. It fails as [Dtype.Check] does. If g is a [KindSubarray], its axes are the
// last axes of an array in C order: with elements of type [3]uint8, an image of shape
// (480, 640, 3) has the shape (480, 640).
//
// If As fails with [ErrByteOrder], copy the elements and turn them with [Dtype.Swap] of
// h.Dtype. The copy then has the header h with the dtype [Dtype.Native].
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
