package format_test

import (
	"errors"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pyshm-go/pyshm/format"
)

// reprs were printed by CPython 3.8 to 3.15. All versions print the same.
var reprs = []struct {
	value any
	repr  string
}{
	{nil, "None"},
	{true, "True"},
	{false, "False"},
	{int64(0), "0"},
	{int64(-5), "-5"},
	{int64(math.MaxInt64), "9223372036854775807"},
	{int64(math.MinInt64), "-9223372036854775808"},
	{0.0, "0.0"},
	{math.Copysign(0, -1), "-0.0"},
	{1.0, "1.0"},
	{-1.5, "-1.5"},
	{0.1, "0.1"},
	{1e15, "1000000000000000.0"},
	{9999999999999998.0, "9999999999999998.0"},
	{1e16, "1e+16"},
	{1.2345678901234568e17, "1.2345678901234568e+17"},
	{1e100, "1e+100"},
	{0.0001, "0.0001"},
	{0.00001, "1e-05"},
	{9.999999999999999e-05, "9.999999999999999e-05"},
	{1.5e-7, "1.5e-07"},
	{5e-324, "5e-324"},
	{math.MaxFloat64, "1.7976931348623157e+308"},
	{math.Inf(1), "inf"},
	{math.Inf(-1), "-inf"},
	{math.NaN(), "nan"},
	{"", "''"},
	{"abc", "'abc'"},
	{"it's", `"it's"`},
	{`say "hi"`, `'say "hi"'`},
	{`it's "so"`, `'it\'s "so"'`},
	{"a\\b", `'a\\b'`},
	{"\t\n\r", `'\t\n\r'`},
	{"\x00\x01\x1f\x7f", `'\x00\x01\x1f\x7f'`},
	{"\a\b\f\v", `'\x07\x08\x0c\x0b'`},
	{"é€😀", "'é€😀'"},
	{"\u0080\u00a0\u00ad", `'\x80\xa0\xad'`},
	{"\u200b\u2028\u3000\ufeff", `'\u200b\u2028\u3000\ufeff'`},
	{"\ufffd", "'\ufffd'"},
	{"\U000e0001\U0010ffff", `'\U000e0001\U0010ffff'`},
	{[]byte{}, "b''"},
	{[]byte("abc"), "b'abc'"},
	{[]byte("it's"), `b"it's"`},
	{[]byte(`'"`), `b'\'"'`},
	{[]byte("\x00\t\n\r\\\x7f\x80\xff"), `b'\x00\t\n\r\\\x7f\x80\xff'`},
	{[]any{}, "[]"},
	{[]any{int64(1), 1.5, nil, "a", []byte("b"), true}, "[1, 1.5, None, 'a', b'b', True]"},
}

func TestRepr(t *testing.T) {
	for _, tt := range reprs {
		if got := format.Repr(tt.value); got != tt.repr {
			t.Errorf("Repr(%#v) = %s, want %s", tt.value, got, tt.repr)
		}
		got, err := format.ParseRepr(tt.repr)
		if diff := cmp.Diff(tt.value, got, cmpopts.EquateNaNs()); err != nil || diff != "" {
			t.Errorf("ParseRepr(%s): %v (-want +got):\n%s", tt.repr, err, diff)
		}
	}
}

// Repr prints every type that Set takes.
func TestReprGoTypes(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{-1, "-1"}, {int8(-8), "-8"}, {uint8(255), "255"}, {uint64(math.MaxUint64), "18446744073709551615"},
		{uintptr(3), "3"}, {float32(0.1), "0.10000000149011612"},
		{[]any{[]any{1}, 2}, "[[1], 2]"},
		{"\xff", `'\xff'`}, // Python has no such str
	} {
		if got := format.Repr(tt.value); got != tt.want {
			t.Errorf("Repr(%T(%[1]v)) = %s, want %s", tt.value, got, tt.want)
		}
	}
}

// Texts that Python reads as the same value, although its repr prints another text.
func TestParseReprAccepts(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want any
	}{
		{" 1 ", int64(1)},
		{"\t-5\n", int64(-5)},
		{"00", int64(0)},
		{"-0", int64(0)},
		{"1.", 1.0},
		{".5", 0.5},
		{"-.5", -0.5},
		{"1e3", 1000.0},
		{"1E+3", 1000.0},
		{"007.5", 7.5},
		{"1e999", math.Inf(1)},
		{"-1e999", math.Inf(-1)},
		{"1e-999", 0.0},
		{`"a"`, "a"},
		{`b"a"`, []byte("a")},
		{`'\a\b\f\n\r\t\v\\\'\"'`, "\a\b\f\n\r\t\v\\'\""},
		{`'\xe9\u20ac\U0001F600'`, "é€😀"},
		{`'\x00'`, "\x00"},
		{"'a\tb'", "a\tb"},
		{`b'\xE9'`, []byte{0xe9}},
		{"[1,2]", []any{int64(1), int64(2)}},
		{"[1, 2,]", []any{int64(1), int64(2)}},
		{" [ 1 , 'a' ] ", []any{int64(1), "a"}},
		{"[ ]", []any{}},
		{`['a,b', "c'," , 'd\',']`, []any{"a,b", "c',", "d',"}},
		{`['€\n€', '\\', b'\\,', b'']`, []any{"€\n€", "\\", []byte(`\,`), []byte{}}},
	} {
		got, err := format.ParseRepr(tt.src)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("ParseRepr(%q): %v (-want +got):\n%s", tt.src, err, diff)
		}
	}
}

// A list of the shortest literals of a kind takes at most 8 times the memory of its
// text. So does rubbish.
func TestParseReprAllocation(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("with the race detector, small values take more memory")
	}
	for _, item := range []string{
		"1,", "-1,", "300,", "1.,", "None,", "'',", "'a',", `'\n',`, `'\na',`, "b'',", "b'a',", `b'\n',`, ",", "1'", `"\`,
	} {
		src := "[" + strings.Repeat(item, room/len(item)-1) + "]"
		checkAllocation(t, "ParseRepr of "+item, 8*len(src), func() { sink, _ = format.ParseRepr(src) })
	}
}

func TestParseReprRefuses(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{"", "invalid literal at offset 0: expected a literal, not end"},
		{" ", "invalid literal at offset 1: expected a literal, not end"},
		{"*", "invalid literal at offset 0: expected a literal, not '*'"},
		{"none", `invalid literal at offset 0: "none" is not a Python literal`},
		{"true", `invalid literal at offset 0: "true" is not a Python literal`},
		{"Infinity", `invalid literal at offset 0: "Infinity" is not a Python literal`},
		{"-nan", `invalid literal at offset 0: "-nan" is not a Python literal`},
		{"+1", `invalid literal at offset 0: "+1" is not a Python literal`},
		{"--1", `invalid literal at offset 0: "--1" is not a Python literal`},
		{"-", `invalid literal at offset 0: "-" is not a Python literal`},
		{".", `invalid literal at offset 0: "." is not a Python literal`},
		{"1_000", `invalid literal at offset 0: "1_000" is not a Python literal`},
		{"0x10", `invalid literal at offset 0: "0x10" is not a Python literal`},
		{"017", `invalid literal at offset 0: "017" is not a Python literal`},
		{"1e", `invalid literal at offset 0: "1e" is not a Python literal`},
		{"1+2", `invalid literal at offset 0: "1+2" is not a Python literal`},
		{"1j", `invalid literal at offset 0: "1j" is not a Python literal`},
		{"1 2", "invalid literal at offset 2: unexpected '2'"},
		{"'a' 'b'", `invalid literal at offset 4: unexpected '\''`},
		{"(1, 2)", "invalid literal at offset 0: expected a literal, not '('"},
		{"[1 2]", "invalid literal at offset 3: expected ',' or ']', not '2'"},
		{"[1", "invalid literal at offset 2: expected ',' or ']', not end"},
		{"[1,", "invalid literal at offset 3: expected a literal, not end"},
		{"[,]", "invalid literal at offset 1: expected a literal, not ','"},
		{"[[1]]", "invalid literal at offset 1: expected a literal, not '['"},
		{"'a", "invalid literal at offset 2: the closing quote is missing"},
		{`'a"`, "invalid literal at offset 3: the closing quote is missing"},
		{`'\`, `invalid literal at offset 1: the closing quote is missing`},
		{"'a\nb'", `invalid literal at offset 2: '\n' inside quotes must be an escape`},
		{"'\r'", `invalid literal at offset 1: '\r' inside quotes must be an escape`},
		{"b'\x00'", `invalid literal at offset 2: '\x00' inside quotes must be an escape`},
		{"u'a'", `invalid literal at offset 0: "u" is not a Python literal`},
		{`'\q'`, `invalid literal at offset 1: unknown escape "\\q"`},
		{`'\0'`, `invalid literal at offset 1: unknown escape "\\0"`},
		{`'\N{DASH}'`, `invalid literal at offset 1: unknown escape "\\N"`},
		{`b'\u20ac'`, `invalid literal at offset 2: unknown escape "\\u"`},
		{"'\\\x1b[31m'", `invalid literal at offset 1: unknown escape "\\\x1b"`},
		{"'\\\n'", `invalid literal at offset 1: unknown escape "\\\n"`},
		{"'\\\u202e'", `invalid literal at offset 1: unknown escape "\\\u202e"`},
		{"'\\\xff'", `invalid literal at offset 1: unknown escape "\\\xff"`},
		{`'\x1'`, `invalid literal at offset 1: \x needs 2 hexadecimal digits`},
		{`'\x+1'`, `invalid literal at offset 1: \x needs 2 hexadecimal digits`},
		{`'\u12`, `invalid literal at offset 1: \u needs 4 hexadecimal digits`},
		{`'\ud800'`, `invalid literal at offset 1: \ud800 is not a character of UTF-8`},
		{`'\U00110000'`, `invalid literal at offset 1: \U00110000 is not a character of UTF-8`},
		{"b'é'", `invalid literal at offset 2: a bytes literal holds only ASCII; write \x..`},
		{"'a\xff'", "invalid literal at offset 2: str is not valid UTF-8"},
	} {
		v, err := format.ParseRepr(tt.src)
		if err == nil || err.Error() != "format: parse: "+tt.want || !errors.Is(err, format.ErrSyntax) {
			t.Errorf("ParseRepr(%q) = %v, %v; want %s", tt.src, v, err, tt.want)
		}
	}
	for _, src := range []string{"9223372036854775808", "-9223372036854775809", "[1, 99999999999999999999]"} {
		if v, err := format.ParseRepr(src); !errors.Is(err, format.ErrRange) {
			t.Errorf("ParseRepr(%s) = %v, %v; want ErrRange", src, v, err)
		}
	}
}
