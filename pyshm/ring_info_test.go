package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// wantRing fails unless DescribeRing and Inspect find a ring of pixels with this newest frame.
func wantRing(t *testing.T, r *pyshm.Ring[[3]uint8], newest uint64) {
	t.Helper()
	c, err := segment(t, r.Name()).Inspect()
	noError(t, err)
	if c.Kind != pyshm.KindRing || c.Ring == nil || c.Array != nil {
		t.Fatalf("Inspect: %+v", c)
	}
	described, err := pyshm.DescribeRing(r.SharedMemory())
	noError(t, err)
	for what, info := range map[string]pyshm.RingInfo{"Inspect": *c.Ring, "DescribeRing": described} {
		if info.Slots != r.Slots() || !slices.Equal(info.Shape, []int{4, 5, 3}) || !info.Dtype.Equal(r.Dtype()) || info.Newest != newest {
			t.Errorf("%s: %+v", what, info)
		}
	}
}

func TestDescribeRing(t *testing.T) {
	testkit.NeedLinux(t)
	r := createRing[[3]uint8](t, 3, 4, 5)
	wantRing(t, r, 0)
	for n := range uint64(7) {
		_, err := r.Publish(fill([3]uint8{1, 2, 3}))
		noError(t, err)
		wantRing(t, r, n+1)
	}
	_, err := r.Publish(func([][3]uint8) error {
		wantRing(t, r, 7) // half written frames do not count
		return nil
	})
	noError(t, err)
	noError(t, os.Truncate(pathOf(r.Name()), int64(r.SharedMemory().Size()-1)))
	if c, err := segment(t, r.Name()).Inspect(); c.Kind != pyshm.KindBlock || c.Ring != nil || err != nil {
		t.Errorf("without its last byte: %+v, %v", c, err)
	}
	other := createRing[uint64](t, 2, 4096)
	if testkit.HasFaultAddress(t) {
		noError(t, os.Truncate(pathOf(other.Name()), 0))
		if _, err := pyshm.DescribeRing(other.SharedMemory()); !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated: %v", err)
		}
	}
	noError(t, other.Close())
	if _, err := pyshm.DescribeRing(other.SharedMemory()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestDescribeRingFails(t *testing.T) {
	testkit.NeedKeptNames(t)
	if _, err := pyshm.DescribeRing(createArray[uint64](t, []int{3}).SharedMemory()); !errors.Is(err, pyshm.ErrNotRing) {
		t.Errorf("an array: %v", err)
	}
	if _, err := pyshm.DescribeRing(create(t, 100)); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("zeros: %v", err)
	}
	text := create(t, 100)
	write(t, text, "text", 0)
	if _, err := pyshm.DescribeRing(text); !errors.Is(err, npy.ErrHeader) {
		t.Errorf("text: %v", err)
	}
	r := createRing[uint64](t, 3)
	words, err := pyshm.View[uint64](r.SharedMemory(), r.SharedMemory().Size()-3*24, 9)
	noError(t, err)
	words[1] = 5 // the end of slot 0
	if _, err := pyshm.DescribeRing(r.SharedMemory()); !errors.Is(err, pyshm.ErrNotRing) {
		t.Errorf("frame 5 in slot 0: %v", err)
	}
	if !testkit.HasFiles {
		return
	}
	if c, err := segment(t, r.Name()).Inspect(); c.Kind != pyshm.KindArray || c.Array == nil || err != nil {
		t.Errorf("frame 5 in slot 0: %+v, %v", c, err)
	}
}

// Any user can make a sparse ring of many slots. To look at it costs no memory.
func TestInspectSparseRing(t *testing.T) {
	testkit.NeedLinux(t)
	r := keep[*pyshm.Ring[uint8]](t)(pyshm.CreateRing[uint8](testkit.Name(t), 2000, []int{1 << 16}, pyshm.Sparse()))
	before := segment(t, r.Name())
	c, err := before.Inspect()
	if err != nil || c.Kind != pyshm.KindRing || c.Ring.Slots != 2000 {
		t.Errorf("%+v, %v", c, err)
	}
	if after := segment(t, r.Name()); after.Allocated != before.Allocated {
		t.Errorf("%d bytes allocated, %d before", after.Allocated, before.Allocated)
	}
}
