package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Repr returns Python's repr of v, which is an item's value, or a []any of items as
// a list. It prints values of other Go types as fmt's %v does.
//
// Whether a character of a str is printed or escaped depends on the Unicode
// tables, which differ slightly between versions of Python and Go.
func Repr(v any) string { return string(appendRepr(nil, v)) }

func appendRepr(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "None"...)
	case bool:
		if v {
			return append(dst, "True"...)
		}
		return append(dst, "False"...)
	case float64:
		return appendFloat(dst, v)
	case float32:
		return appendFloat(dst, float64(v))
	case string:
		return appendStr(dst, v)
	case []byte:
		return appendBytes(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendRepr(dst, item)
		}
		return append(dst, ']')
	default: // integers print alike
		return fmt.Append(dst, v)
	}
}

// appendFloat appends the shortest digits that read back as f, with an exponent
// where Python's repr has one: below -4 and from 16 on.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 0):
		return append(dst, strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !strings.ContainsRune(string(dst[start:]), '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

// quoteFor returns the quotes that Python chooses: single quotes, unless only single
// quotes occur inside.
func quoteFor(single, double bool) byte {
	if single && !double {
		return '"'
	}
	return '\''
}

const hexDigits = "0123456789abcdef"

func appendStr(dst []byte, s string) []byte {
	quote := quoteFor(strings.ContainsRune(s, '\''), strings.ContainsRune(s, '"'))
	dst = append(dst, quote)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < utf8.RuneSelf:
			dst = appendASCII(dst, byte(r), quote)
		case r == utf8.RuneError && size == 1: // no str has such a byte
			dst = append(dst, '\\', 'x', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r <= 0xff:
			dst = fmt.Appendf(dst, `\x%02x`, r)
		case r <= 0xffff:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = fmt.Appendf(dst, `\U%08x`, r)
		}
		i += size
	}
	return append(dst, quote)
}

func appendBytes(dst, b []byte) []byte {
	quote := quoteFor(strings.ContainsRune(string(b), '\''), strings.ContainsRune(string(b), '"'))
	dst = append(dst, 'b', quote)
	for _, c := range b {
		dst = appendASCII(dst, c, quote)
	}
	return append(dst, quote)
}

// appendASCII appends the repr of a character below 128, or of any byte of a bytes.
func appendASCII(dst []byte, c, quote byte) []byte {
	switch {
	case c == '\\' || c == quote:
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\r':
		return append(dst, `\r`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c < ' ' || c > '~':
		return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
	default:
		return append(dst, c)
	}
}
