package pickle

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The opcodes of protocol 0 have their arguments as text, up to the end of a line.

// maxDigits is the number of decimal digits that an int may have. The time to convert
// an int grows faster than its digits. CPython's int() has the same limit by default.
const maxDigits = 4300

func (m *machine) line() (string, error) {
	n := bytes.IndexByte(m.data[m.next:], '\n')
	if n < 0 {
		return "", ErrTruncated
	}
	line := m.data[m.next : m.next+n]
	m.next += n + 1
	return string(line), nil
}

func (m *machine) lineIndex() (uint64, error) {
	line, err := m.line()
	if err != nil {
		return 0, err
	}
	index, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return 0, syntaxf("%.20q is not an index of the memo", line)
	}
	return index, nil
}

func (m *machine) putLine() error {
	index, err := m.lineIndex()
	if err != nil {
		return err
	}
	return m.store(index)
}

func (m *machine) getLine() error {
	index, err := m.lineIndex()
	if err != nil {
		return err
	}
	return m.recall(index)
}

// intLine reads an int or, spelled with a leading zero, a bool.
func (m *machine) intLine() error {
	line, err := m.line()
	switch {
	case err != nil:
		return err
	case line == "00":
		return m.push(false)
	case line == "01":
		return m.push(true)
	}
	return m.pushDigits(line)
}

func (m *machine) longLine() error {
	line, err := m.line()
	if err != nil {
		return err
	}
	return m.pushDigits(strings.TrimSuffix(strings.TrimSpace(line), "L"))
}

func (m *machine) pushDigits(line string) error {
	digits := strings.TrimSpace(line)
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return m.push(n)
	}
	if len(digits) > maxDigits+1 {
		return limitf("an int of %d decimal digits, at most %d", len(digits), maxDigits)
	}
	if unsigned := strings.TrimLeft(digits, "+-"); unsigned == "" || len(digits)-len(unsigned) > 1 || !allDigits(unsigned) {
		return syntaxf("%.20q is not an int", line)
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return syntaxf("%.20q is not an int", line)
	}
	if n.IsInt64() { // there were zeros in front
		return m.push(n.Int64())
	}
	return m.push(n)
}

func floatOf(bigEndian []byte) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(bigEndian))
}

// floatLine reads a float, printed as by Python's repr.
func (m *machine) floatLine() error {
	line, err := m.line()
	if err != nil {
		return err
	}
	if line == "nan" { // Go's NaN has another bit set
		return m.push(math.Float64frombits(0x7ff8 << 48))
	}
	f, err := strconv.ParseFloat(line, 64)
	if (err != nil && !math.IsInf(f, 0)) || strings.ContainsAny(line, "_xXpP") { // 1e999 is inf in Python
		return syntaxf("%.20q is not a float", line)
	}
	return m.push(f)
}

// unicodeLine reads a str in the codec raw-unicode-escape: Latin-1, and a
// backslash with u and 4 hexadecimal digits, or U and 8, for other characters.
func (m *machine) unicodeLine() error {
	line, err := m.line()
	if err != nil {
		return err
	}
	var s strings.Builder
	for i := 0; i < len(line); {
		if line[i] != '\\' || i+1 == len(line) {
			s.WriteRune(rune(line[i]))
			i++
			continue
		}
		digits := 0
		switch line[i+1] {
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default: // not an escape: the text has both characters
			s.WriteByte('\\')
			s.WriteRune(rune(line[i+1]))
			i += 2
			continue
		}
		i += 2
		if i+digits > len(line) {
			return syntaxf("a \\u escape is cut off")
		}
		r, err := strconv.ParseUint(line[i:i+digits], 16, 32)
		if err != nil || r > utf8.MaxRune {
			return syntaxf("the escape %q is not a character", line[i-2:i+digits])
		}
		i += digits
		writeCodePoint(&s, rune(r))
	}
	return m.pushText(s.String())
}

// writeCodePoint writes surrogates as Python does, in three bytes.
func writeCodePoint(s *strings.Builder, r rune) {
	if 0xd800 <= r && r <= 0xdfff {
		s.Write([]byte{0xed, 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
		return
	}
	s.WriteRune(r)
}

// stringLine reads a str of Python 2 in quotes.
func (m *machine) stringLine() error {
	line, err := m.line()
	if err != nil {
		return err
	}
	line = strings.TrimRight(line, " \t\r")
	if len(line) < 2 || line[0] != line[len(line)-1] || line[0] != '\'' && line[0] != '"' {
		return syntaxf("a str without quotes")
	}
	b, err := unescape(line[1 : len(line)-1])
	if err != nil {
		return err
	}
	return m.pushOldString(b)
}

// unescape undoes the escapes of Python 2's repr.
func unescape(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		if i++; i == len(s) {
			return nil, syntaxf("an escape is cut off")
		}
		switch c := s[i]; {
		case c == 'x':
			n, err := strconv.ParseUint(s[i+1:min(i+3, len(s))], 16, 8)
			if err != nil || i+3 > len(s) {
				return nil, syntaxf("an escape \\x without two hexadecimal digits")
			}
			b = append(b, byte(n))
			i += 2
		case '0' <= c && c <= '7':
			end := i + 1
			for end < min(i+3, len(s)) && '0' <= s[end] && s[end] <= '7' {
				end++
			}
			n, _ := strconv.ParseUint(s[i:end], 8, 16)
			b = append(b, byte(n))
			i = end - 1
		case strings.IndexByte(escapes, c) >= 0:
			b = append(b, escaped[strings.IndexByte(escapes, c)])
		default:
			b = append(b, '\\', c)
		}
	}
	return b, nil
}

// Letters behind a backslash, and the characters for which they stand.
const (
	escapes = `\'"abfnrtv`
	escaped = "\\'\"\a\b\f\n\r\t\v"
)

func (m *machine) globalLines() error {
	c, err := m.classLines()
	if err != nil {
		return err
	}
	return m.push(c)
}

// classLines reads the module and the name of a class, each in a line.
func (m *machine) classLines() (Class, error) {
	module, err := m.line()
	if err != nil {
		return Class{}, err
	}
	name, err := m.line()
	if err != nil {
		return Class{}, err
	}
	return m.class(module, name)
}
