package npy

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText is how long the text of a header or dtype may be, in bytes: numpy from 1.23
// on reads no longer header.
const maxText = 10000

// A scanner reads the literals that numpy writes: strings, ints, tuples, lists. It
// evaluates nothing. The first error stays; after it, every method returns nothing.
type scanner struct {
	text   string
	pos    int
	err    error
	errPos int
	longs  bool // an int may end in L, as numpy on Python 2 wrote it
	fields int  // how many fields there were so far
}

func (s *scanner) fail(kind error, format string, args ...any) {
	s.failWith(reasonf(kind, format, args...))
}

func (s *scanner) failWith(err error) {
	if s.err == nil && err != nil {
		s.err, s.errPos = err, s.pos
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.text) && strings.IndexByte(" \t\n", s.text[s.pos]) >= 0 {
		s.pos++
	}
	if s.err != nil || s.pos == len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

// has skips c if it comes next.
func (s *scanner) has(c byte) bool {
	if s.peek() != c || c == 0 {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.has(c) {
		s.fail(ErrHeader, "%q is missing", c)
	}
}

// word skips a name like True if it comes next.
func (s *scanner) word(w string) bool {
	s.peek()
	if s.err != nil || !strings.HasPrefix(s.text[s.pos:], w) {
		return false
	}
	s.pos += len(w)
	return true
}

// end fails unless nothing follows but white space.
func (s *scanner) end() {
	if s.peek() != 0 || s.pos < len(s.text) {
		s.fail(ErrHeader, "something follows the end")
	}
}

// items calls item at each element of a sequence, and reads on through the bracket that
// ends it. It returns how many elements there were, and whether a comma follows the last.
func (s *scanner) items(end byte, item func()) (n int, comma bool) {
	for s.err == nil && !s.has(end) {
		if n > 0 && !comma {
			s.fail(ErrHeader, "a comma or %q is missing", end)
			break
		}
		item()
		n++
		comma = s.has(',')
	}
	return n, comma
}

// str reads a string. Most are parts of the text, and not copied.
func (s *scanner) str() string {
	mark := s.peek()
	if mark != '\'' && mark != '"' {
		s.fail(ErrHeader, "a string is missing")
		return ""
	}
	s.pos++
	start := s.pos
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == mark:
			s.pos++
			return s.text[start : s.pos-1]
		case c == '\\':
			return s.escaped(mark, s.text[start:s.pos])
		case c < ' ' || c == 0x7f:
			s.fail(ErrHeader, "a control character in a string")
			return ""
		}
	}
	s.fail(ErrHeader, "a string without an end")
	return ""
}

// escaped reads on from the first escape of a string, behind plain text.
func (s *scanner) escaped(mark byte, plain string) string {
	b := append(make([]byte, 0, 2*len(plain)+16), plain...)
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case c == mark:
			s.pos++
			return string(b)
		case c == '\\':
			b = utf8.AppendRune(b, s.escape())
			if s.err != nil {
				return ""
			}
			continue
		case c < ' ' || c == 0x7f:
			s.fail(ErrHeader, "a control character in a string")
			return ""
		}
		b = append(b, c)
		s.pos++
	}
	s.fail(ErrHeader, "a string without an end")
	return ""
}

// escape reads one of the escapes that Python's repr writes.
func (s *scanner) escape() rune {
	rest := s.text[s.pos+1:]
	if rest == "" {
		s.fail(ErrHeader, "a string without an end")
		return 0
	}
	digits := 0
	switch rest[0] {
	case '\\', '\'', '"':
		s.pos += 2
		return rune(rest[0])
	case 'n', 'r', 't':
		s.pos += 2
		return map[byte]rune{'n': '\n', 'r': '\r', 't': '\t'}[rest[0]]
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	}
	if digits > 0 && len(rest) > digits && strings.Trim(rest[1:1+digits], "0123456789abcdefABCDEF") == "" {
		n, err := strconv.ParseUint(rest[1:1+digits], 16, 32)
		if err == nil && n > 0 && n <= utf8.MaxRune && utf8.ValidRune(rune(n)) {
			s.pos += 2 + digits
			return rune(n)
		}
	}
	s.fail(ErrHeader, "an escape that numpy does not write")
	return 0
}

// number reads a non-negative int that fits Go's int.
func (s *scanner) number() int {
	s.peek()
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos] >= '0' && s.text[s.pos] <= '9' {
		s.pos++
	}
	digits := s.text[start:s.pos]
	if s.longs && digits != "" && strings.HasPrefix(s.text[s.pos:], "L") {
		s.pos++
	}
	if s.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	switch {
	case digits == "" || len(digits) > 1 && digits[0] == '0':
		s.pos = start
		s.fail(ErrHeader, "a non-negative int is missing")
	case err != nil || n > math.MaxInt:
		s.pos = start
		s.fail(ErrShape, "%s does not fit an int", excerpt(digits))
	default:
		return int(n)
	}
	return 0
}

// shape reads a tuple of ints.
func (s *scanner) shape() []int {
	s.expect('(')
	shape := []int{}
	n, comma := s.items(')', func() {
		if len(shape) == MaxDims {
			s.fail(ErrShape, "more than %d axes", MaxDims)
		}
		shape = append(shape, s.number())
	})
	if n == 1 && !comma {
		s.fail(ErrHeader, "a shape of one axis is written (n,)")
	}
	return shape
}
