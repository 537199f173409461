package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pyshm-go/pyshm/format/npy"
)

// describeArray describes the bytes of a .npy file. format/npy/LAYOUT.md has the layout.
func describeArray(b []byte) *plan {
	head := bytes.Clone(b[:min(len(b), longestHeader)])
	h, offset, err := npy.ParseHeader(head)
	if err != nil {
		return &plan{title: fmt.Sprintf("array, %d bytes, damaged", len(b)), faults: []string{visible(err.Error())},
			each: func(_ int, yield func(region)) { yield(region{0, len(b), roleNone, "no header that numpy reads"}) }}
	}
	p := &plan{title: fmt.Sprintf("array of shape %s, dtype %s, %d bytes", shapeText(h.Shape), excerpt(h.Dtype.String()), len(b))}
	size, err := h.Size()
	if err != nil {
		p.faults = append(p.faults, visible(err.Error()))
	} else if there := len(b) - offset; size > there {
		p.faults = append(p.faults, fmt.Sprintf("data at offset %d: %d bytes are announced, and %d are there", offset, size, there))
	}
	if len(p.faults) > 0 {
		p.title += ", damaged"
		size = min(max(size, 0), len(b)-offset)
	}
	p.each = func(limit int, yield func(region)) {
		headerRegions(head, offset, yield)
		elementRegions(b, h, offset, offset+size, limit, yield)
		if end := offset + size; end < len(b) {
			yield(region{end, len(b), roleLeftover, "behind the array"})
		}
	}
	return p
}

func headerRegions(b []byte, offset int, yield func(region)) {
	yield(region{0, 6, roleHead, "magic"})
	yield(region{6, 8, roleHead, fmt.Sprintf("version %d.%d", b[6], b[7])})
	text := 10
	if b[6] >= 2 {
		text = 12
		yield(region{8, 12, roleHead, fmt.Sprintf("length of the header: %d", binary.LittleEndian.Uint32(b[8:]))})
	} else {
		yield(region{8, 10, roleHead, fmt.Sprintf("length of the header: %d", binary.LittleEndian.Uint16(b[8:]))})
	}
	end := text + len(bytes.TrimRight(b[text:offset], " \n"))
	yield(region{text, end, roleFormat, "header: " + visible(string(b[text:end]))})
	if end < offset {
		yield(region{end, offset, rolePadding, "padding of the header"})
	}
}

// elementRegions yields the elements in the order in which they lie in memory.
func elementRegions(b []byte, h npy.Header, at, end, limit int, yield func(region)) {
	size := h.Dtype.Size()
	for k := 0; k < limit && at+size <= end; k++ {
		element := bytes.Clone(b[at : at+size])
		text := "cannot be read"
		if err := h.Dtype.Swap(element); err == nil {
			if text, err = elementText(h.Dtype.Native(), element); err != nil {
				text = "<" + err.Error() + ">"
			}
		}
		yield(region{at, at + size, roleValue, indexText(h, k) + ": " + excerpt(text)})
		at += size
	}
	if at < end {
		yield(region{at, end, roleValue, "further elements"})
	}
}

// indexText returns the index of the element that lies at place k.
func indexText(h npy.Header, k int) string {
	index := make([]string, len(h.Shape))
	for i := range h.Shape {
		axis := len(h.Shape) - 1 - i // in C order the last axis changes first
		if h.Fortran {
			axis = i
		}
		index[axis] = fmt.Sprint(k % h.Shape[axis])
		k /= h.Shape[axis]
	}
	return "[" + strings.Join(index, ",") + "]"
}
