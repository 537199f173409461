package npy

import "math"

// A Float16 is the bits of an IEEE 754 half-precision number, numpy's float16: 11 bits
// of precision, magnitudes from 6e-8 to 65504. Convert with Float32 to compare numbers,
// because -0 equals 0, and NaN equals nothing.
type Float16 uint16

// NumpyDtype returns numpy's name for a Float16: see [Typed].
func (Float16) NumpyDtype() string { return "f2" }

// Float16Of returns the half-precision number nearest to v, and the even one of two that
// are equally near, as numpy does. From 65520 on it returns infinity, and up to 2⁻²⁵
// zero. NaN stays NaN, with the part of its payload that fits.
func Float16Of(v float32) Float16 {
	b := math.Float32bits(v)
	sign := uint16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: it would become infinity if its payload were cut to nothing
		half := uint16(0x7c00 | b>>13&0x3ff)
		if half == 0x7c00 {
			half++
		}
		return Float16(sign | half)
	case b >= 0x477ff000: // 65520
		return Float16(sign | 0x7c00)
	case b >= 0x38800000: // 2⁻¹⁴, the smallest normal number: 13 bits of the fraction go
		b -= (127 - 15) << 23
		return Float16(sign | uint16((b+0xfff+b>>13&1)>>13))
	case b <= 0x33000000: // 2⁻²⁵, half of the smallest number
		return Float16(sign)
	}
	// A subnormal number counts units of 2⁻²⁴.
	shift := 126 - b>>23
	fraction := b&0x7fffff | 0x800000
	half := fraction >> shift
	rest := fraction & (1<<shift - 1)
	if rest > 1<<(shift-1) || rest == 1<<(shift-1) && half&1 == 1 {
		half++
	}
	return Float16(sign | uint16(half))
}

// Float32 returns the number, which a float32 holds exactly. The payload of a NaN is
// kept.
func (f Float16) Float32() float32 {
	sign := uint32(f&0x8000) << 16
	exponent, fraction := uint32(f>>10&0x1f), uint32(f&0x3ff)
	switch exponent {
	case 0: // zero, or subnormal
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(v))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// A Bool is a byte that numpy takes for a bool: every value but 0 is true. Go's own bool
// breaks on a byte other than 0 and 1, which another process may write.
type Bool uint8

// NumpyDtype returns numpy's name for a Bool: see [Typed].
func (Bool) NumpyDtype() string { return "b1" }

// True reports whether numpy takes b for True.
func (b Bool) True() bool { return b != 0 }
