package npy

import (
	"strings"
	"unicode/utf8"
)

// GetText returns the string of a [KindText] element, numpy's U: its characters without
// the NULs at the end. It fails with [ErrText] if another process has written a number
// that stands for no character. Python returns a string with a lone surrogate for such
// an element, or raises SystemError or UnicodeDecodeError.
func GetText(runes []rune) (string, error) {
	for len(runes) > 0 && runes[len(runes)-1] == 0 {
		runes = runes[:len(runes)-1]
	}
	var b strings.Builder
	b.Grow(len(runes))
	for i, r := range runes {
		if !utf8.ValidRune(r) {
			return "", failf("text", "", ErrText, "character %d is %#x, which is no code point", i, uint32(r))
		}
		b.WriteRune(r)
	}
	return b.String(), nil
}

// PutText writes s to a [KindText] element, and NULs to the rest of it. It fails with
// [ErrText], and writes nothing, if s is too long, is not valid UTF-8, or ends in NUL,
// which readers strip.
func PutText(dst []rune, s string) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return failf("text", "", ErrText, "it is not valid UTF-8")
	case strings.HasSuffix(s, "\x00"):
		return failf("text", "", ErrText, "it ends in NUL, which numpy would strip")
	case n > len(dst):
		return failf("text", "", ErrText, "%d characters do not fit %d", n, len(dst))
	}
	i := 0
	for _, r := range s {
		dst[i] = r
		i++
	}
	clear(dst[i:])
	return nil
}
