package main

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
)

const (
	maxValueDepth = 100  // of values in one another, as in Python's parser
	maxDigits     = 4300 // of an int, as in Python
)

// parseValue reads any plain data as Python's repr prints it: what an item of a list can
// be, ints of any size, and lists, tuples, dicts and sets of values.
func parseValue(text string) (any, error) {
	p := valueParser{text: text}
	v, err := p.value(maxValueDepth)
	if err != nil {
		return nil, err
	}
	if p.next(); p.at < len(p.text) {
		return nil, p.unexpected("the end")
	}
	return v, nil
}

// A valueParser reads the containers. Package format reads what is in them.
type valueParser struct {
	text string
	at   int
}

// next returns the character that comes next behind white space, or 0 at the end.
func (p *valueParser) next() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *valueParser) accept(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

func (p *valueParser) unexpected(wanted string) error {
	found := "end"
	if p.at < len(p.text) {
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		found = strconv.QuoteRune(r)
	}
	return fmt.Errorf("%w at offset %d: expected %s, not %s", format.ErrSyntax, p.at, wanted, found)
}

func (p *valueParser) value(depth int) (any, error) {
	if depth == 0 {
		return nil, fmt.Errorf("%w at offset %d: more than %d values in one another", format.ErrSyntax, p.at, maxValueDepth)
	}
	switch p.next() {
	case '[':
		items, _, err := p.items(']', depth-1)
		return items, err
	case '(':
		items, comma, err := p.items(')', depth-1)
		if err == nil && len(items) == 1 && !comma {
			return items[0], nil
		}
		return pickle.Tuple(items), err
	case '{':
		return p.braces(depth - 1)
	}
	if strings.HasPrefix(p.text[p.at:], "set()") {
		p.at += len("set()")
		return pickle.NewSet()
	}
	return p.scalar()
}

// items reads values up to a bracket, and reports whether a comma comes before it.
func (p *valueParser) items(end byte, depth int) (items []any, comma bool, err error) {
	p.at++ // the opening bracket
	items = []any{}
	for !p.accept(end) {
		if len(items) > 0 && !comma {
			return nil, false, p.unexpected(fmt.Sprintf("',' or '%c'", end))
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, false, err
		}
		items = append(items, v)
		comma = p.accept(',')
	}
	return items, comma, nil
}

// braces reads a dict or a set.
func (p *valueParser) braces(depth int) (any, error) {
	p.at++ // the opening brace
	var pairs []pickle.Pair
	var items []any
	for comma := true; !p.accept('}'); comma = p.accept(',') {
		if !comma {
			return nil, p.unexpected("',' or '}'")
		}
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		switch {
		case len(items) == 0 && p.accept(':'):
			value, err := p.value(depth)
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, pickle.Pair{Key: v, Value: value})
		case len(pairs) > 0:
			return nil, p.unexpected("':'")
		default:
			items = append(items, v)
		}
	}
	if len(items) > 0 {
		return pickle.NewSet(items...)
	}
	return pickle.NewDict(pairs...)
}

func (p *valueParser) scalar() (any, error) {
	begin := p.at
	p.at = p.endOfScalar()
	word := p.text[begin:p.at]
	if word == "" {
		return nil, p.unexpected("a literal")
	}
	v, err := format.ParseRepr(word)
	if errors.Is(err, format.ErrRange) && len(word) <= maxDigits {
		if n, ok := new(big.Int).SetString(strings.ReplaceAll(word, "_", ""), 10); ok {
			return n, nil
		}
	}
	if err != nil && begin > 0 {
		return nil, fmt.Errorf("in the literal at offset %d: %w", begin, reason(err))
	}
	return v, err
}

// endOfScalar returns where a scalar ends: behind its quotes, or before a delimiter.
func (p *valueParser) endOfScalar() int {
	i := p.at
	if strings.HasPrefix(p.text[i:], "b'") || strings.HasPrefix(p.text[i:], `b"`) {
		i++
	}
	if i < len(p.text) && (p.text[i] == '\'' || p.text[i] == '"') {
		quote := p.text[i]
		for i++; i < len(p.text) && p.text[i] != quote; i++ {
			if p.text[i] == '\\' {
				i++
			}
		}
		return min(i+1, len(p.text))
	}
	if n := strings.IndexAny(p.text[i:], ",:()[]{} \t\r\n"); n >= 0 {
		return i + n
	}
	return len(p.text)
}
