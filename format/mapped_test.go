package format_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// compareAttachMapped fails unless AttachMapped returns what Attach returns.
func compareAttachMapped(t *testing.T, buf []byte) {
	t.Helper()
	want, wantErr := format.Attach(buf)
	got, err := format.AttachMapped(buf, bytes.NewReader(buf), false)
	if reason(err) != reason(wantErr) {
		t.Errorf("AttachMapped fails with %v, Attach with %v", err, wantErr)
	}
	if err == nil && wantErr == nil && (got.Len() != want.Len() || got.Layout() != want.Layout() || got.Format() != want.Format()) {
		t.Errorf("AttachMapped returns %d items in %v, Attach %d in %v", got.Len(), got.Layout(), want.Len(), want.Layout())
	}
}

func TestAttachMapped(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		for _, n := range []int{1, 2, 10, 100} {
			buf := encode(t, layout, make([]any, n)...)
			compareAttachMapped(t, buf)
			for cut := 8; cut < len(buf); cut += 8 {
				compareAttachMapped(t, buf[:cut:cut])
			}
		}
	})
}

// A large list is not touched, whatever is mapped.
func TestAttachMappedTouchesNothing(t *testing.T) {
	for _, n := range []int{3, 1000} {
		buf := encode(t, format.Offsets, make([]any, n)...)
		untouched := make([]byte, len(buf))
		l, err := format.AttachMapped(untouched, bytes.NewReader(buf), true)
		if err != nil || l.Len() != n {
			t.Fatalf("%v, %d items", err, l.Len())
		}
		if err := l.SetInt(0, 1); !errors.Is(err, format.ErrReadOnly) {
			t.Errorf("SetInt on a read-only list: %v", err)
		}
	}
}

// A file that cannot be read, or is shorter than its mapping, leaves all to Attach.
func TestAttachMappedWithoutFile(t *testing.T) {
	buf := encode(t, format.Offsets, make([]any, 1000)...)
	for _, file := range []io.ReaderAt{unreadable{}, bytes.NewReader(nil), bytes.NewReader(buf[:8000]), bytes.NewReader(buf[:16000])} {
		if l, err := format.AttachMapped(buf, file, false); err != nil || l.Len() != 1000 {
			t.Errorf("%v: %v", file, err)
		}
	}
}

type unreadable struct{}

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("unreadable") }
