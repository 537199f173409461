package pyshm

import (
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/internal/soak"
)

// TestPlacements compares random placements with one element after the other.
func TestPlacements(t *testing.T) {
	r := soak.Rand(soak.Seed(t), 0)
	overlapping, inOrder := 0, 0
	for range soak.Length(20_000, 2_000_000) {
		const total = 400
		size := 1 << r.IntN(4)
		shape, strides := make([]int, r.IntN(4)), []int{}
		for i := range shape {
			shape[i] = r.IntN(5)
			strides = append(strides, size*(r.IntN(15)-5))
		}
		if r.IntN(3) == 0 { // C order, or another order of the axes
			step := size
			for _, axis := range r.Perm(len(shape)) {
				strides[axis] = step
				step *= max(1, shape[axis])
			}
		}
		p := newPlacement(shape, strides, r.IntN(total), size)
		var places []int
		inside := p.offset <= total
		p.each(func(index []int) {
			at, ok := p.at(index)
			if !ok || p.indexError(index) != nil {
				t.Fatalf("%+v has no element %v", p, index)
			}
			places = append(places, at)
			inside = inside && at >= 0 && at <= total-size
		})
		if len(places) != p.n || (p.check(total) == nil) != inside {
			t.Fatalf("%+v: %d elements, %v", p, len(places), p.check(total))
		}
		if !inside {
			continue
		}
		sorted := slices.Sorted(slices.Values(places))
		overlap, aligned := false, true
		for i, at := range sorted {
			overlap = overlap || i > 0 && at < sorted[i-1]+size
			aligned = aligned && at%8 == 0
		}
		if overlap && !p.overlaps() {
			t.Fatalf("%+v overlaps", p)
		}
		if p.overlaps() {
			overlapping++
		}
		if p.aligned(8) && !aligned {
			t.Fatalf("%+v is not aligned", p)
		}
		consecutive := true
		for i, at := range places {
			consecutive = consecutive && at == p.offset+i*size
		}
		if p.inOrder(false) != consecutive {
			t.Fatalf("%+v: C order %v", p, !consecutive)
		}
		if consecutive {
			inOrder++
		}
		limit := 0
		if p.n > 0 {
			limit = r.IntN(p.n + 1)
		}
		var run []int
		p.runs(limit, func(at, first, n, step int) error {
			if first != len(run) || n < 1 {
				t.Fatalf("%+v: a run of %d from %d, after %d", p, n, first, len(run))
			}
			for i := range n {
				run = append(run, at+i*step)
			}
			return nil
		})
		if !slices.Equal(run, places[:limit]) {
			t.Fatalf("%+v: runs %v, not %v", p, run, places[:limit])
		}
	}
	t.Logf("%d overlap, %d are in C order", overlapping, inOrder)
	if overlapping < 100 || inOrder < 100 {
		t.Error("too few of a kind")
	}
}

// each calls f with each index, in C order.
func (p *placement) each(f func(index []int)) {
	if p.n == 0 {
		return
	}
	index := make([]int, len(p.shape))
	for {
		f(index)
		axis := len(index) - 1
		for ; axis >= 0 && index[axis] == p.shape[axis]-1; axis-- {
			index[axis] = 0
		}
		if axis < 0 {
			return
		}
		index[axis]++
	}
}

func TestPlacementTranspose(t *testing.T) {
	p := newPlacement([]int{2, 3, 4}, []int{8, 16, 48}, 0, 8)
	if !p.fortran() || !p.inOrder(true) || p.inOrder(false) {
		t.Error("Fortran order")
	}
	p.strides = []int{32, 64, 8}
	if p.fortran() || p.inOrder(true) || p.inOrder(false) || p.overlaps() {
		t.Error("a transpose of three axes")
	}
}
