package pyshm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
)

// An npyReason is an error of package npy without what an [*Error] says already. It is
// [format.ErrIncomplete] as well where a header is not complete.
type npyReason struct {
	text string
	err  *npy.Error
}

func (r *npyReason) Error() string { return r.text }

func (r *npyReason) Unwrap() []error {
	if errors.Is(r.err, npy.ErrIncomplete) {
		return []error{r.err, format.ErrIncomplete}
	}
	return []error{r.err}
}

// ofNpy makes an error of package npy a reason, and leaves others as they are.
func ofNpy(err error) error {
	e, ok := err.(*npy.Error)
	if !ok {
		return err
	}
	return &npyReason{strings.TrimPrefix(e.Error(), "npy: "+e.Op+": "), e}
}

// describe returns the header of the array in a segment, and where the data begins.
func (m *SharedMemory) describe() (h npy.Header, offset int, err error) {
	err = m.touch(func() (err error) {
		h, offset, err = npy.ParseHeader(m.mem.Bytes())
		return err
	})
	if err != nil {
		return npy.Header{}, 0, ofNpy(err)
	}
	size, err := h.Size()
	switch total := m.Size(); {
	case err != nil: // ParseHeader has looked
		return npy.Header{}, 0, ofNpy(err)
	case size > total-offset:
		return npy.Header{}, 0, &reason{
			fmt.Sprintf("the header is of %d bytes of data, and %d follow it: its creator is at work, or it was cut short", size, total-offset),
			format.ErrIncomplete,
		}
	}
	return h, offset, nil
}

// tuple returns a shape as Python prints it.
func tuple(shape []int) string {
	text := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(shape), "[]")), ", ")
	if len(shape) == 1 {
		text += ","
	}
	return "(" + text + ")"
}
