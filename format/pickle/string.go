package pickle

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The String methods show values to people, much as Python's repr does. They show at
// most maxString bytes and maxStringDepth values in one another, and "…" for the rest.
// So a value with many references to one list costs no more than another.
const (
	maxString      = 4096
	maxStringDepth = 40
)

// String returns the tuple as Python's repr shows it, up to about 4 KiB.
func (t Tuple) String() string { return show(t, maxString) }

// String returns the bytearray as Python's repr shows it, up to about 4 KiB.
func (b ByteArray) String() string { return show(b, maxString) }

// String returns the dict as Python's repr shows it, up to about 4 KiB.
func (d *Dict) String() string { return show(d, maxString) }

// String returns the set as Python's repr shows it, up to about 4 KiB.
func (s *Set) String() string { return show(s, maxString) }

// String returns the frozenset as Python's repr shows it, up to about 4 KiB.
func (s *FrozenSet) String() string { return show(s, maxString) }

// String returns the call that makes the object and its other parts, up to about 4 KiB:
// "<collections.deque(...) items=[1, 2]>".
func (o *Object) String() string { return show(o, maxString) }

// Repr returns a value as Python's repr shows it, up to about limit bytes and 40 values in
// one another, with "…" for the rest. An [Object] is shown as by its String method.
func Repr(v any, limit int) string { return show(v, limit) }

// excerpt returns a value, or its beginning, for a message.
func excerpt(v any) string { return show(v, 40) }

func show(v any, limit int) string {
	p := printer{left: limit}
	p.value(v, maxStringDepth)
	if p.left < 0 {
		return p.String() + "…"
	}
	return p.String()
}

// A printer collects text up to a limit.
type printer struct {
	strings.Builder
	left int
}

func (p *printer) add(s string) {
	if p.left < 0 {
		return
	}
	if len(s) > p.left {
		s = strings.ToValidUTF8(s[:p.left], "")
		p.left = -1
	} else {
		p.left -= len(s)
	}
	p.WriteString(s)
}

func (p *printer) value(v any, depth int) {
	if depth == 0 {
		p.add("…")
		return
	}
	switch v := v.(type) {
	case nil:
		p.add("None")
	case bool:
		p.add(map[bool]string{true: "True", false: "False"}[v])
	case float64:
		p.add(showFloat(v))
	case complex128:
		p.add(fmt.Sprintf("(%g%+gj)", real(v), imag(v)))
	case string:
		p.text(v)
	case Surrogates:
		p.text(string(v))
	case []byte:
		p.bytes(v)
	case ByteArray:
		p.add("bytearray(")
		p.bytes(v)
		p.add(")")
	case Class:
		p.add("<" + v.String() + ">")
	case Decimal:
		p.add("Decimal('" + string(v) + "')")
	case time.Time:
		p.add(v.Format(time.RFC3339Nano))
	default:
		p.container(v, depth-1)
	}
}

func (p *printer) container(v any, depth int) {
	switch v := v.(type) {
	case []any:
		p.list("[", v, "]", depth)
	case Tuple:
		end := ")"
		if len(v) == 1 {
			end = ",)"
		}
		p.list("(", v, end, depth)
	case *Dict:
		p.dict(v, depth)
	case *Set:
		if v.Len() == 0 {
			p.add("set()")
			return
		}
		p.table("{", v.read(), "}", depth)
	case *FrozenSet:
		if v.Len() == 0 {
			p.add("frozenset()")
			return
		}
		p.table("frozenset({", v.read(), "})", depth)
	case *Object:
		p.object(v, depth)
	default:
		p.add(fmt.Sprint(v))
	}
}

func (p *printer) list(begin string, items []any, end string, depth int) {
	p.add(begin)
	for i, item := range items {
		if i > 0 {
			p.add(", ")
		}
		if p.value(item, depth); p.left < 0 {
			return
		}
	}
	p.add(end)
}

func (p *printer) table(begin string, t *table, end string, depth int) {
	separator := begin
	for key := range t.all() {
		p.add(separator)
		separator = ", "
		if p.value(key, depth); p.left < 0 {
			return
		}
	}
	p.add(end)
}

func (p *printer) dict(d *Dict, depth int) {
	separator := "{"
	for key, value := range d.All() {
		p.add(separator)
		separator = ", "
		p.value(key, depth)
		p.add(": ")
		if p.value(value, depth); p.left < 0 {
			return
		}
	}
	if d.Len() == 0 {
		p.add("{")
	}
	p.add("}")
}

func (p *printer) object(o *Object, depth int) {
	if o == nil {
		p.add("<nil>")
		return
	}
	p.add("<")
	if o.Callee != nil {
		p.value(o.Callee, depth)
	} else {
		p.add(o.Class.String())
	}
	p.list("(", o.Args, ")", depth)
	if o.Keywords.Len() > 0 {
		p.add(" keywords=")
		p.value(o.Keywords, depth)
	}
	if len(o.Items) > 0 {
		p.add(" items=")
		p.value(o.Items, depth)
	}
	if o.Pairs.Len() > 0 {
		p.add(" pairs=")
		p.value(o.Pairs, depth)
	}
	if o.State != nil {
		p.add(" state=")
		p.value(o.State, depth)
	}
	p.add(">")
}

func showFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.ToLower(strings.TrimPrefix(fmt.Sprint(f), "+"))
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}

// text adds a str in quotes. It looks only at the part of the str that fits.
func (p *printer) text(s string) {
	quote := "'"
	if strings.Contains(s[:min(len(s), maxString)], "'") && !strings.Contains(s[:min(len(s), maxString)], `"`) {
		quote = `"`
	}
	p.add(quote)
	p.characters(s, quote)
	p.add(quote)
}

// characters adds the characters of a str, those that cannot be printed as Python's
// escapes, and a quote with a backslash before it.
func (p *printer) characters(s, quote string) {
	for len(s) > 0 && p.left >= 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1 && startsWithSurrogate(s):
			n = 3
			p.add(fmt.Sprintf(`\ud%x%02x`, s[1]>>2&0xf, s[1]&3<<6|s[2]&0x3f))
		case string(r) == quote || r == '\\':
			p.add(`\` + string(r))
		case r == '\n':
			p.add(`\n`)
		case r == '\r':
			p.add(`\r`)
		case r == '\t':
			p.add(`\t`)
		case unicode.IsPrint(r):
			p.add(s[:n])
		case r < 0x100:
			p.add(fmt.Sprintf(`\x%02x`, r))
		case r < 0x10000:
			p.add(fmt.Sprintf(`\u%04x`, r))
		default:
			p.add(fmt.Sprintf(`\U%08x`, r))
		}
		s = s[n:]
	}
}

func (p *printer) bytes(b []byte) {
	p.add("b'")
	for _, c := range b {
		switch {
		case p.left < 0:
			return
		case c == '\'' || c == '\\':
			p.add(`\` + string(rune(c)))
		case c == '\n':
			p.add(`\n`)
		case c == '\r':
			p.add(`\r`)
		case c == '\t':
			p.add(`\t`)
		case ' ' <= c && c <= '~':
			p.add(string(rune(c)))
		default:
			p.add(`\x` + hex.EncodeToString([]byte{c}))
		}
	}
	p.add("'")
}
