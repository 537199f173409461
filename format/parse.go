package format

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseRepr is the inverse of [Repr]: it reads the literals that Python's repr
// prints for an item, inf and nan included. It also reads lists of them, which become
// []any. It ignores white space around literals, and knows both kinds of quotes and
// all one-character escapes of Python. Nothing is evaluated: any other text is refused
// with [ErrSyntax], and an int beyond int64 with [ErrRange].
func ParseRepr(src string) (any, error) {
	p := parser{src: src}
	p.space()
	v, err := p.list()
	if err == nil {
		if p.space(); p.pos < len(src) {
			err = p.syntax("unexpected " + p.here())
		}
	}
	if err != nil {
		return nil, listErr("parse", err)
	}
	return v, nil
}

type parser struct {
	src string
	pos int
}

func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// accept moves past c, if c comes next.
func (p *parser) accept(c byte) bool {
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// here returns the next character in quotes, for an error.
func (p *parser) here() string {
	if p.pos == len(p.src) {
		return "end"
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return strconv.QuoteRune(r)
}

func (p *parser) syntax(what string) error {
	return fmt.Errorf("%w at offset %d: %s", ErrSyntax, p.pos, what)
}

// list reads a list of scalars, or one scalar.
func (p *parser) list() (any, error) {
	if !p.accept('[') {
		return p.scalar()
	}
	items := make([]any, 0, p.maxItems())
	for {
		p.space()
		if p.accept(']') { // also after a last comma, as in Python
			return items, nil
		}
		v, err := p.scalar()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		p.space()
		if p.accept(']') {
			return items, nil
		}
		if !p.accept(',') {
			return nil, p.syntax("expected ',' or ']', not " + p.here())
		}
	}
}

// maxItems returns how many items of a list can follow: at most one more than the
// commas outside of quotes, and at most one for two bytes. So a list is allocated once,
// and takes at most 8 times the memory of its text.
func (p *parser) maxItems() int {
	rest := p.src[p.pos:]
	commas, quote := 0, byte(0)
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case quote == 0 && c == ',':
			commas++
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0 && c == '\\':
			i++
		}
	}
	return min(commas+1, len(rest)/2)
}

func (p *parser) scalar() (any, error) {
	switch rest := p.src[p.pos:]; {
	case strings.HasPrefix(rest, "'"), strings.HasPrefix(rest, `"`):
		return p.quoted(false)
	case strings.HasPrefix(rest, "b'"), strings.HasPrefix(rest, `b"`):
		p.pos++
		return p.quoted(true)
	}
	start := p.pos
	for p.pos < len(p.src) && isWordByte(p.src[p.pos]) {
		p.pos++
	}
	word := p.src[start:p.pos]
	v, err := parseWord(word)
	if errors.Is(err, ErrSyntax) {
		p.pos = start
		if word == "" {
			return nil, p.syntax("expected a literal, not " + p.here())
		}
		return nil, p.syntax(strconv.Quote(excerpt(word)) + " is not a Python literal")
	}
	return v, err
}

func isWordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("+-._", c) >= 0
}

// parseWord reads a literal without quotes.
func parseWord(word string) (any, error) {
	switch word {
	case "None":
		return nil, nil
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "nan":
		return math.NaN(), nil
	case "inf":
		return math.Inf(1), nil
	case "-inf":
		return math.Inf(-1), nil
	}
	digits := strings.TrimPrefix(word, "-")
	if digits == "" || strings.Trim(digits, "0123456789.eE+-") != "" || digits[0] == '+' || digits[0] == '-' {
		return nil, ErrSyntax
	}
	if strings.Trim(digits, "0123456789") == "" {
		return parseInt(word, digits)
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond the range is inf, as in Python
		return nil, ErrSyntax
	}
	return f, nil
}

func parseInt(word, digits string) (any, error) {
	if digits[0] == '0' && strings.Trim(digits, "0") != "" { // Python refuses 017
		return nil, ErrSyntax
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s does not fit 64 bits", ErrRange, excerpt(word))
	}
	return n, nil
}

// simpleEscapes are Python's escapes of one character.
var simpleEscapes = map[byte]byte{
	'\\': '\\', '\'': '\'', '"': '"',
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// noBytes serves as every empty bytes: it has no byte that its readers could share.
var noBytes any = []byte{}

// quoted reads a str, or a bytes after its b. A str without escapes shares the memory
// of the source.
func (p *parser) quoted(isBytes bool) (any, error) {
	quote := p.src[p.pos]
	p.pos++
	var out []byte // the text before plain, its escapes decoded
	plain := p.pos
	for {
		if p.pos == len(p.src) {
			return nil, p.syntax("the closing quote is missing")
		}
		switch c := p.src[p.pos]; {
		case c == quote:
			rest := p.src[plain:p.pos]
			p.pos++
			return unquoted(out, rest, isBytes), nil
		case c == '\n' || c == '\r' || c == 0: // Python's source refuses them too
			return nil, p.syntax(strconv.QuoteRune(rune(c)) + " inside quotes must be an escape")
		case c == '\\':
			out = append(out, p.src[plain:p.pos]...)
			var err error
			if out, err = p.escape(out, isBytes); err != nil {
				return nil, err
			}
			plain = p.pos
		case c < utf8.RuneSelf:
			p.pos++
		case isBytes:
			return nil, p.syntax("a bytes literal holds only ASCII; write \\x..")
		default:
			r, size := utf8.DecodeRuneInString(p.src[p.pos:])
			if r == utf8.RuneError && size == 1 {
				return nil, p.syntax(ErrUTF8.Error())
			}
			p.pos += size
		}
	}
}

// unquoted returns the value whose text is decoded, where escapes have been replaced,
// followed by rest.
func unquoted(decoded []byte, rest string, isBytes bool) any {
	switch {
	case decoded == nil && !isBytes:
		return rest
	case decoded == nil && rest == "":
		return noBytes
	case decoded == nil:
		decoded = make([]byte, 0, len(rest)) // append would allocate 8 bytes for one
	}
	decoded = append(decoded, rest...)
	if isBytes {
		return decoded
	}
	return string(decoded)
}

// escape appends the character or byte that the escape at p.pos stands for.
func (p *parser) escape(out []byte, isBytes bool) ([]byte, error) {
	rest := p.src[p.pos+1:]
	if rest == "" {
		return nil, p.syntax("the closing quote is missing")
	}
	if c, ok := simpleEscapes[rest[0]]; ok {
		p.pos += 2
		return append(out, c), nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[0]]
	if digits == 0 || isBytes && digits != 2 {
		_, size := utf8.DecodeRuneInString(rest)
		return nil, p.syntax(fmt.Sprintf("unknown escape %q", `\`+rest[:size]))
	}
	if len(rest) < 1+digits {
		return nil, p.syntax(fmt.Sprintf("\\%c needs %d hexadecimal digits", rest[0], digits))
	}
	n, err := strconv.ParseUint(rest[1:1+digits], 16, 32)
	switch {
	case err != nil:
		return nil, p.syntax(fmt.Sprintf("\\%c needs %d hexadecimal digits", rest[0], digits))
	case isBytes:
		out = append(out, byte(n))
	case !utf8.ValidRune(rune(n)): // a lone surrogate, or beyond Unicode
		return nil, p.syntax(fmt.Sprintf("\\%s is not a character of UTF-8", rest[:1+digits]))
	default:
		out = utf8.AppendRune(out, rune(n))
	}
	p.pos += 2 + digits
	return out, nil
}
