package pyshm

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
)

// A placement is where the elements of an array lie in a segment. Strides are in bytes,
// as in numpy. The stride of an axis with fewer than two elements means nothing.
type placement struct {
	shape   []int
	strides []int
	offset  int // of the element [0, 0, ...]
	size    int // of an element
	n       int // number of elements
}

// newPlacement requires that shape and size have passed [npy.Header.Size], so that
// the number of elements does not overflow.
func newPlacement(shape, strides []int, offset, size int) placement {
	n := 1
	if slices.Contains(shape, 0) {
		n = 0
	} else {
		for _, length := range shape {
			n *= length
		}
	}
	return placement{shape: shape, strides: strides, offset: offset, size: size, n: n}
}

// at returns where the element of an index is, and whether there is such an element.
func (p *placement) at(index []int) (at int, ok bool) {
	if len(index) != len(p.shape) {
		return 0, false
	}
	at = p.offset
	for axis, i := range index {
		if uint(i) >= uint(p.shape[axis]) {
			return 0, false
		}
		at += i * p.strides[axis]
	}
	return at, true
}

// indexError returns why at has found no element. It must not keep the index: otherwise
// every call of At would put its index on the heap.
func (p *placement) indexError(index []int) error {
	if len(index) != len(p.shape) {
		return fmt.Errorf("%w: %d numbers for %s", format.ErrIndex, len(index), axes(len(p.shape)))
	}
	for axis, i := range index {
		if uint(i) >= uint(p.shape[axis]) {
			return fmt.Errorf("%w: %d on axis %d with length %d", format.ErrIndex, i, axis, p.shape[axis])
		}
	}
	return nil
}

func axes(n int) string {
	if n == 1 {
		return "1 axis"
	}
	return fmt.Sprintf("%d axes", n)
}

// check returns an error if some elements are outside of a segment of total bytes.
func (p *placement) check(total int) error {
	low, high, ok := p.span()
	switch {
	case p.offset < 0 || p.offset > total:
		return invalid("offset %d is not in the segment of %d bytes", p.offset, total)
	case !ok:
		return invalid("the strides %v reach farther than an int counts", p.strides)
	case p.n > 0 && (p.offset < -low || p.offset > total-high):
		return invalid("the elements reach from %d bytes below offset %d to %d above it, and the segment has %d", -low, p.offset, high, total)
	}
	return nil
}

// span returns how far the elements reach, in bytes from the first element: low bytes
// below it (0 or negative), and high bytes above, to the end of the last. ok is false if
// a distance does not fit an int.
func (p *placement) span() (low, high int, ok bool) {
	if p.n == 0 {
		return 0, 0, true
	}
	high = p.size
	for axis, n := range p.shape {
		if n == 1 {
			continue
		}
		over, reach := bits.Mul(uint(n-1), distance(p.strides[axis]))
		downward := p.strides[axis] < 0
		room := math.MaxInt - high
		if downward {
			room = math.MaxInt + low
		}
		switch {
		case over != 0 || reach > uint(room):
			return 0, 0, false
		case downward:
			low -= int(reach)
		default:
			high += int(reach)
		}
	}
	return low, high, true
}

// distance returns a stride without its sign.
func distance(stride int) uint {
	if stride < 0 {
		return -uint(stride)
	}
	return uint(stride)
}

// inOrder reports whether the elements follow one another without gaps in C order, or
// in Fortran order.
func (p *placement) inOrder(fortran bool) bool {
	step := p.size
	for i := range p.shape {
		axis := len(p.shape) - 1 - i
		if fortran {
			axis = i
		}
		if p.shape[axis] != 1 {
			if p.n > 0 && p.strides[axis] != step {
				return false
			}
			step *= p.shape[axis]
		}
	}
	return true
}

// fortran reports whether the elements are in Fortran order and not in C order: numpy's
// fortran_order.
func (p *placement) fortran() bool { return !p.inOrder(false) && p.inOrder(true) }

// overlaps reports whether elements share memory, as in an array that numpy has
// broadcast, or in sliding windows. With odd strides it may report true for elements that
// share none.
func (p *placement) overlaps() bool {
	if p.n == 0 {
		return false
	}
	var long []int // axes with several elements, the smallest distance first
	for axis, n := range p.shape {
		if n > 1 {
			long = append(long, axis)
		}
	}
	slices.SortFunc(long, func(a, b int) int {
		return cmp.Compare(distance(p.strides[a]), distance(p.strides[b]))
	})
	reach := uint(p.size) // of all elements along the axes before
	for _, axis := range long {
		d := distance(p.strides[axis])
		if d < reach {
			return true
		}
		reach += uint(p.shape[axis]-1) * d
	}
	return false
}

// aligned reports whether every element is at a multiple of align, a power of two.
// Mappings begin at a page.
func (p *placement) aligned(align int) bool {
	all := uint(p.offset)
	for axis, n := range p.shape {
		if n > 1 {
			all |= uint(p.strides[axis])
		}
	}
	return p.n == 0 || all&uint(align-1) == 0
}

// within returns the placement of larger elements, of size bytes. The first axes remain,
// and the others become parts of the elements: these have to be in C order without gaps.
func (p *placement) within(axes, size int) (placement, error) {
	elem := newPlacement(p.shape[axes:], p.strides[axes:], 0, p.size)
	if p.n > 0 && !elem.inOrder(false) {
		return placement{}, &reason{
			fmt.Sprintf("elements of several numbers need these side by side, not %v bytes apart", p.strides[axes:]),
			npy.ErrMismatch,
		}
	}
	return newPlacement(p.shape[:axes], p.strides[:axes], p.offset, size), nil
}

// runs calls f for one run of elements after the other, in C order, up to limit elements
// in all. The run has n elements, step bytes apart. Its first element lies at the offset
// at, and has the number first among all elements.
func (p *placement) runs(limit int, f func(at, first, n, step int) error) error {
	last := len(p.shape) - 1
	if limit == 0 {
		return nil
	}
	if last < 0 || p.inOrder(false) {
		return f(p.offset, 0, limit, p.size)
	}
	var index [npy.MaxDims]int
	at := p.offset
	for first := 0; ; {
		n := min(p.shape[last], limit-first)
		if err := f(at, first, n, p.strides[last]); err != nil {
			return err
		}
		if first += n; first == limit {
			return nil
		}
		axis := last - 1
		for index[axis]+1 == p.shape[axis] {
			at -= index[axis] * p.strides[axis]
			index[axis] = 0
			axis--
		}
		index[axis]++
		at += p.strides[axis]
	}
}
