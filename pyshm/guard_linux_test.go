package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

func TestTruncatedBelowReader(t *testing.T) {
	for _, size := range []int64{0, 100, 4096} {
		m := create(t, 3*4096)
		if err := os.Truncate(pathOf(m.Name()), size); err != nil {
			t.Fatal(err)
		}
		all := make([]byte, m.Size())
		if n, err := m.ReadAt(all, 0); n != 0 || !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: ReadAt = %d, %v", size, n, err)
		}
		if n, err := m.WriteAt(all, 0); n != 0 || !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: WriteAt = %d, %v", size, n, err)
		}
		err := m.Guard(func() error {
			m.Bytes()[m.Size()-1]++
			return nil
		})
		if !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated to %d: Guard = %v", size, err)
		}
	}
}

func TestRawSliceAfterClose(t *testing.T) {
	m := create(t, 4096)
	b := m.Bytes()
	err := m.Guard(func() error {
		if err := m.Close(); err != nil {
			return err
		}
		b[0] = 1
		return nil
	})
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard = %v", err)
	}
}
