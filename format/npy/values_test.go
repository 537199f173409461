package npy_test

import (
	"errors"
	"math"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

func TestFloat16(t *testing.T) {
	for _, tt := range []struct {
		f    float32
		bits npy.Float16
	}{
		{0, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3c00}, {-2, 0xc000}, {65504, 0x7bff},
		{65519.99, 0x7bff}, {65520, 0x7c00}, {1e30, 0x7c00}, {float32(math.Inf(-1)), 0xfc00},
		{0x1p-14, 0x0400}, {0x1p-24, 0x0001}, {0x1p-25, 0}, {0x1.000002p-25, 0x0001}, {0x1.8p-24, 0x0002}, {0x1p-149, 0},
		{1 + 0x1p-11, 0x3c00}, {1 + 0x1.8p-10, 0x3c02}, // halves go to the even one
		{float32(0x1p-14) - 0x1p-25, 0x0400},
		{math.Float32frombits(0x7f800001), 0x7c01}, {math.Float32frombits(0xffc02000), 0xfe01},
	} {
		if got := npy.Float16Of(tt.f); got != tt.bits {
			t.Errorf("Float16Of(%v) = %#04x, want %#04x", tt.f, uint16(got), uint16(tt.bits))
		}
	}
	for i := range 1 << 16 {
		h := npy.Float16(i)
		if back := npy.Float16Of(h.Float32()); back != h {
			t.Errorf("%#04x becomes %v, and that %#04x", i, h.Float32(), uint16(back))
		}
	}
}

func TestBool(t *testing.T) {
	if npy.Bool(0).True() || !npy.Bool(1).True() || !npy.Bool(2).True() {
		t.Error("True")
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", "abc", "é€😀", "a\x00b"} {
		runes := []rune{9, 9, 9, 9}
		if err := npy.PutText(runes, s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if got, err := npy.GetText(runes); err != nil || got != s {
			t.Errorf("%q is read as %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"abcde", "a\x00", "\xff", "\xed\xa0\x80"} {
		runes := []rune{1, 2, 3, 4}
		if err := npy.PutText(runes, s); !errors.Is(err, npy.ErrText) || runes[0] != 1 {
			t.Errorf("%q: %v, %v", s, err, runes)
		}
	}
	for _, r := range []rune{0xd800, 0xdfff, 0x110000, -1, math.MinInt32, math.MaxInt32} {
		if s, err := npy.GetText([]rune{'a', r, 0}); !errors.Is(err, npy.ErrText) || s != "" {
			t.Errorf("%x: %q, %v", r, s, err)
		}
	}
}
