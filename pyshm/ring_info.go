package pyshm

import (
	"encoding/binary"
	"io"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/words"
)

// A RingInfo describes a ring, for programs that do not know its elements in advance.
type RingInfo struct {
	Slots int
	Shape []int     // lengths of a frame's axes, in numpy
	Dtype npy.Dtype // of an element of a frame

	// Newest is the number of the newest frame, 0 if there is none. Frames are numbered
	// from 1, so it is also how many have been published.
	Newest uint64
}

// DescribeRing describes the ring in a segment. It fails as [AttachRing] does, but for
// the reasons that concern T.
func DescribeRing(m *SharedMemory) (RingInfo, error) {
	const op = "describe ring"
	if m.isClosed() {
		return RingInfo{}, m.errClosed(op)
	}
	info, err := m.describeRing()
	return info, wrap(op, m.Name(), err)
}

func (m *SharedMemory) describeRing() (info RingInfo, err error) {
	h, offset, err := m.describe()
	if err != nil {
		return RingInfo{}, err
	}
	slots := ringSlots{memory: m.mem.Bytes()}
	err = m.touch(func() (err error) {
		info, err = ringInfo(h, offset, func(at int) (uint64, error) { return words.Load64(slots.wordAt(at)), nil })
		return err
	})
	return info, err
}

// inspectRing describes the ring that has the header, and reads the numbers in its slots
// from the file: there may be a page of memory for each, in a sparse segment that a
// stranger has made.
func inspectRing(h npy.Header, offset int, f io.ReaderAt) (RingInfo, error) {
	return ringInfo(h, offset, func(at int) (uint64, error) {
		var word [wordSize]byte
		_, err := f.ReadAt(word[:], int64(at))
		return binary.NativeEndian.Uint64(word[:]), err
	})
}

// ringInfo describes the ring that has the header. load returns the word at an offset of
// the segment.
func ringInfo(h npy.Header, offset int, load func(at int) (uint64, error)) (RingInfo, error) {
	slots, frame, err := slotsOf(h, offset)
	if err != nil {
		return RingInfo{}, err
	}
	slots.first = offset
	n, _, err := slots.newestOf(load)
	if err != nil {
		return RingInfo{}, err
	}
	return RingInfo{Slots: slots.count, Shape: frame.Shape, Dtype: frame.Dtype, Newest: n}, nil
}
