package main

import (
	"bufio"
	"fmt"

	"github.com/pyshm-go/pyshm/pyshm"
)

// A ringHead describes a ring in JSON, together with the arrayHead of its frames.
type ringHead struct {
	Slots  *int    `json:"slots,omitempty"`
	Newest *uint64 `json:"newest,omitempty"`
}

func newRingHead(r *pyshm.RingInfo) (arrayHead, ringHead) {
	shape := append([]int{}, r.Shape...)
	return arrayHead{Dtype: r.Dtype.String(), Shape: &shape}, ringHead{Slots: &r.Slots, Newest: &r.Newest}
}

func showRing(out *bufio.Writer, a *array, ring *pyshm.RingInfo, asJSON bool) error {
	if asJSON {
		head := segmentHead{Name: fileName(a.m.Name()), Kind: string(pyshm.KindRing), Size: int64(a.m.Size()), Offset: a.offset}
		head.arrayHead, head.ringHead = newRingHead(ring)
		return printJSON(out, head)
	}
	fmt.Fprintf(out, "%s: ring of %d slots, %d bytes, data from %d on\nframes: shape %s, dtype %s\npublished: %d\n",
		shown(a.m.Name()), ring.Slots, a.m.Size(), a.offset, shapeText(ring.Shape), visible(ring.Dtype.String()), ring.Newest)
	if ring.Newest > 0 {
		fmt.Fprintf(out, "newest: frame %d, in slot %d\n", ring.Newest, ring.Newest%uint64(ring.Slots))
	}
	return nil
}
