package pickle

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// A Decimal is a decimal.Decimal, spelled as by Python's str: "1.50", "-1E+3", "NaN",
// "Infinity".
type Decimal string

// A canonical is the value of a number as sign, digits and a power of ten,
// without zeros at either end of the digits, so that equal numbers are equal
// structs. Zero has no digits and no sign.
type canonical struct {
	negative bool
	digits   string
	exponent int64
	special  string // "inf" or "nan" instead of digits
}

// parseDecimal reads a Decimal, spelled as by Python's str. Python's constructor also
// reads underscores, blanks and the digits of other scripts.
func parseDecimal(s string) (c canonical, ok bool) {
	s, c.negative = strings.CutPrefix(s, "-")
	if !c.negative {
		s = strings.TrimPrefix(s, "+")
	}
	if special := specialDecimal(s); special != "" {
		c.special = special
		return c, true
	}
	mantissa, exponent, hasExponent := strings.Cut(s, "E")
	if !hasExponent {
		mantissa, exponent, hasExponent = strings.Cut(s, "e")
	}
	if hasExponent {
		var err error
		if c.exponent, err = strconv.ParseInt(exponent, 10, 64); err != nil || max(c.exponent, -c.exponent) > 2e18 {
			return c, false // beyond the exponents of every Python
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" || !allDigits(whole) || !allDigits(fraction) {
		return c, false
	}
	c.digits = whole + fraction
	c.exponent -= int64(len(fraction))
	return c.normalised(), true
}

func specialDecimal(s string) string {
	switch lower := strings.ToLower(s); {
	case lower == "inf" || lower == "infinity":
		return "inf"
	case strings.HasPrefix(lower, "nan") && allDigits(lower[3:]), strings.HasPrefix(lower, "snan") && allDigits(lower[4:]):
		return "nan"
	}
	return ""
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func (c canonical) normalised() canonical {
	digits := strings.TrimLeft(c.digits, "0")
	trimmed := strings.TrimRight(digits, "0")
	c.exponent += int64(len(digits) - len(trimmed))
	c.digits = trimmed
	if trimmed == "" {
		return canonical{}
	}
	return c
}

// canonicalInt takes a time that grows faster than the length of n. A caller compares
// lengths before.
func canonicalInt(n *big.Int) canonical {
	c := canonical{negative: n.Sign() < 0, digits: new(big.Int).Abs(n).String()}
	return c.normalised()
}

// canonicalFloat is exact: a float64 has at most 767 significant digits.
func canonicalFloat(f float64) canonical {
	switch {
	case math.IsNaN(f):
		return canonical{special: "nan"}
	case math.IsInf(f, 0):
		return canonical{special: "inf", negative: f < 0}
	}
	c, _ := parseDecimal(strconv.FormatFloat(f, 'e', 766, 64))
	return c
}

// magnitude returns how many digits the number has before the point.
func (c canonical) magnitude() int64 { return int64(len(c.digits)) + c.exponent }

// equalDecimal compares a Decimal with an integer, a float or another Decimal, both as
// returned by [numberOf].
func equalDecimal(d Decimal, other any) bool {
	a, ok := parseDecimal(string(d))
	if !ok || a.special == "nan" {
		return false
	}
	var b canonical
	switch v := other.(type) {
	case Decimal:
		if b, ok = parseDecimal(string(v)); !ok {
			return false
		}
	case float64:
		b = canonicalFloat(v)
	case int64:
		b = canonicalInt(big.NewInt(v))
	case *big.Int:
		digits := float64(v.BitLen()) * math.Log10(2)
		if math.Abs(digits-float64(a.magnitude())) > 2 {
			return false
		}
		b = canonicalInt(v)
	default:
		return false
	}
	return a == b
}
