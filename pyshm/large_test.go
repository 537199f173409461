package pyshm_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A 32-bit program refuses a segment of 3 GiB, and says why. It still lists it with its
// size. To a 64-bit program it is like any other.
func TestThreeGiB(t *testing.T) {
	testkit.NeedLinux(t)
	const size = 3 << 30
	name := testkit.Name(t)
	for _, file := range []string{name, "sem." + name} {
		noError(t, os.WriteFile(pathOf(file), nil, 0o600))
		testkit.RemoveAfter(t, file)
		noError(t, os.Truncate(pathOf(file), size))
	}
	text := fmt.Sprintf("it has %d bytes, and a segment of this 32-bit program has at most 2147483647", int64(size))
	for what, err := range map[string]error{
		"attach": closed(pyshm.Attach(name)), "list": closed(pyshm.AttachList(name)),
		"array": closed(pyshm.AttachArray[uint8](name)), "ring": closed(pyshm.AttachRing[uint8](name)), "lock": closed(pyshm.AttachLock(name)),
	} {
		if int64(size) > math.MaxInt {
			if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", what, err)
			}
		} else if errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, file := range []string{name, "sem." + name} {
		s := segment(t, file)
		if s.Size != size {
			t.Errorf("%s has %d bytes, want %d", file, s.Size, int64(size))
		}
		c, err := s.Inspect()
		if int64(size) > math.MaxInt && (c.Kind != pyshm.KindUnreadable || !errors.Is(err, syscall.ENOMEM)) || int64(size) <= math.MaxInt && err != nil {
			t.Errorf("%s: %+v, %v", file, c, err)
		}
	}
}

// A header may promise more than there is, and more than an int counts.
func TestArrayOfLargePromise(t *testing.T) {
	testkit.NeedLinux(t)
	for _, shape := range []string{"(1099511627776,)", "(1048576, 1048576)", "(65536, 65536)", "(2147483648,)"} {
		name := npyFile(t, "'|u1'", shape, false, make([]byte, 100))
		want := format.ErrIncomplete
		if math.MaxInt == math.MaxInt32 {
			want = npy.ErrShape
		}
		if _, err := pyshm.AttachArray[uint8](name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", shape, err, want)
		}
		m := attach(t, name)
		if _, err := pyshm.Describe(m); !errors.Is(err, want) {
			t.Errorf("describe %s: %v, want %v", shape, err, want)
		}
		if c, err := segment(t, name).Inspect(); c.Kind != pyshm.KindBlock || err != nil {
			t.Errorf("inspect %s: %+v, %v", shape, c, err)
		}
	}
	for _, shape := range [][]int{{math.MaxInt}, {1 << 16, 1 << 15, 2}, {math.MaxInt/2 + 1, 2}} {
		err := gone(pyshm.CreateArray[uint64](testkit.Name(t), shape, pyshm.Sparse()))
		if math.MaxInt == math.MaxInt32 && !errors.Is(err, npy.ErrShape) {
			t.Errorf("create %v: %v", shape, err)
		}
	}
}

// Words of a list or a ring that a processor of 32 bits cannot change in one step are
// refused.
func TestMisalignedWords(t *testing.T) {
	list, err := format.Encode([]any{1, 2.5}, nil)
	noError(t, err)
	for offset := 1; offset < 8; offset++ {
		buf := make([]byte, len(list)+8)
		at := buf[offset:]
		copy(at, list)
		if _, err := format.Attach(at[:len(list)]); !errors.Is(err, format.ErrUnaligned) {
			t.Errorf("a list at offset %d: %v", offset, err)
		}
	}
	testkit.NeedLinux(t)
	for _, fields := range []string{
		"[('begin', '=u8'), ('end', '=u8'), ('frame', '|u1', (4,))]",
		"[('', '|V4'), ('begin', '=u8'), ('end', '=u8'), ('frame', '|u1', (4,))]",
		"[('begin', '=u8'), ('', '|V4'), ('end', '=u8'), ('frame', '|u1', (4,))]",
	} {
		name := npyFile(t, fields, "(2,)", false, make([]byte, 64))
		if _, err := pyshm.AttachRing[uint8](name); !errors.Is(err, pyshm.ErrNotRing) || !strings.Contains(err.Error(), "not at multiples of 8") {
			t.Errorf("%s: %v", fields, err)
		}
	}
}
