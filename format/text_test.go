package format_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
)

// Text of every length, with a byte of another kind at every place, is validated, stored
// and read back as it is, and nothing of an earlier value is left behind it.
func TestTextOfEveryLength(t *testing.T) {
	const most = 3*8 + 1
	for _, capacity := range []int{8, 16, most} {
		l := newList(t, format.Sized{Value: "", Capacity: capacity})
		slot, err := l.Slot(0)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= min(most, slot.Capacity); n++ {
			for at := range n {
				for _, b := range []byte{'b', 0x80, 0xff} {
					if err := l.SetBytes(0, bytes.Repeat([]byte{0xfe}, slot.Capacity)); err != nil {
						t.Fatal(err)
					}
					text := []byte(strings.Repeat("a", n))
					text[at] = b
					if !utf8.Valid(text) {
						if err := l.SetStr(0, string(text)); err == nil {
							t.Errorf("SetStr took %q", text)
						}
					}
					if err := l.SetBytes(0, text); err != nil {
						t.Error(err)
					}
					raw, err := l.RawBytes(0)
					if want := append(text, make([]byte, slot.Capacity-n)...); err != nil || !bytes.Equal(raw, want) {
						t.Errorf("%q: the slot has %q, %v", text, raw, err)
					}
					if utf8.Valid(text) {
						err := l.SetStr(0, string(text))
						if s, getErr := l.Str(0); err != nil || getErr != nil || s != string(text) {
							t.Errorf("%q: %q, %v, %v", text, s, err, getErr)
						}
					}
				}
			}
		}
	}
}
