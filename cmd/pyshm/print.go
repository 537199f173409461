package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
)

// Names and values come from other processes. All output has to be on one line and
// without the control characters that a terminal obeys. format.Repr prints values,
// shown prints names, toJSON prints both as JSON, and visible prints errors, which may
// quote anything.

// visible returns text as one line. Characters that are not plainly visible are
// escaped.
func visible(text string) string {
	var line strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == '\n': // in an error of several lines
			line.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&line, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			line.WriteRune(r)
		default:
			line.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		text = text[size:]
	}
	return line.String()
}

// shown returns a name as it is, or quoted if it has characters that are not
// plainly visible.
func shown(name string) string {
	quoted := strconv.Quote(name)
	if name == "" || quoted != `"`+name+`"` || strings.ContainsFunc(name, unicode.IsSpace) {
		return quoted
	}
	return name
}

// reason returns the reason in an error of package format, without operation and item.
func reason(err error) error {
	var inner *format.Error
	if errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

// An item is a list's item as JSON; the package documentation describes it.
type item struct {
	Index int    `json:"index"`
	Kind  string `json:"kind"`
	Value any    `json:"value"`
	Repr  string `json:"repr"`
}

func newItem(i int, v any) item {
	it := item{Index: i, Kind: kindOf(v).String(), Value: v, Repr: format.Repr(v)}
	if f, ok := v.(float64); ok {
		it.Value = json.RawMessage(it.Repr) // keeps the .0 of a whole number
		if math.IsNaN(f) || math.IsInf(f, 0) {
			it.Value = nil
		}
	}
	return it
}

func kindOf(v any) format.Kind {
	switch v.(type) {
	case int64:
		return format.Int
	case float64:
		return format.Float
	case bool:
		return format.Bool
	case string:
		return format.Str
	case []byte:
		return format.Bytes
	default:
		return format.None
	}
}

// toJSON returns v on one line, with characters that are not printable escaped.
func toJSON(v any) ([]byte, error) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	var out []byte
	for _, r := range strings.TrimSuffix(line.String(), "\n") {
		if unicode.IsPrint(r) {
			out = append(out, string(r)...)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out, nil
}

// A fileName is a name, which may hold any bytes, as JSON: bytes outside of UTF-8 are
// \udc80 to \udcff, as in Python's os.fsdecode.
type fileName string

func (n fileName) MarshalJSON() ([]byte, error) {
	text := []byte{'"'}
	for i, r := range string(n) {
		_, size := utf8.DecodeRuneInString(string(n[i:]))
		switch {
		case r == utf8.RuneError && size == 1:
			text = fmt.Appendf(text, `\udc%02x`, n[i])
		case r < ' ' || r == '"' || r == '\\':
			text = fmt.Appendf(text, `\u%04x`, r)
		default:
			text = utf8.AppendRune(text, r)
		}
	}
	return append(text, '"'), nil
}

func printJSON(out io.Writer, v any) error {
	line, err := toJSON(v)
	if err == nil {
		_, err = out.Write(append(line, '\n'))
	}
	return err
}

// A jsonArray prints an array as its elements come, an element a line.
type jsonArray struct {
	out   *bufio.Writer
	begun bool
}

func beginArray(out *bufio.Writer) *jsonArray {
	out.WriteByte('[')
	return &jsonArray{out: out}
}

func (a *jsonArray) add(v any) error {
	element, err := toJSON(v)
	if err != nil { // the array is whole without it
		return err
	}
	if a.begun {
		a.out.WriteByte(',')
	}
	a.begun = true
	a.out.WriteByte('\n')
	_, err = a.out.Write(element)
	return err
}

func (a *jsonArray) end() { a.out.WriteString("\n]") }
