package pickle_test

import (
	"errors"
	"strings"
	"testing"

	. "github.com/pyshm-go/pyshm/format/pickle"
)

// opcodeCases are pickles with opcodes that no vector has.
var opcodeCases = []struct{ pickle, want string }{
	// Protocol 0.
	{"I01\n.", "True"},
	{"I00\n.", "False"},
	{"I1\n.", "1"},
	{"I-12\n.", "-12"},
	{"I99999999999999999999\n.", "99999999999999999999"},
	{"L5L\n.", "5"},
	{"L-99999999999999999999L\n.", "-99999999999999999999"},
	{"F1.5\n.", "1.5"},
	{"F-inf\n.", "-inf"},
	{"Fnan\n.", "nan"},
	{"F1e999\n.", "inf"},
	{"Va\\u20acb\\U0001f600\xe9\n.", "'a€b😀é'"},
	{"V\\u005c\\u000a\\\\u0041\n.", `'\\\n\\\\u0041'`},
	{"V\\udc80\n.", `'\udc80'`},
	{"S'a\\x41\\n\\101\\\\\\q'\n.", `'aA\nA\\\\q'`},
	{"S\"it's\"\n.", `"it's"`},
	{"S'\\xff'\n.", `b'\xff'`},
	{"(I1\nI2\nl.", "[1, 2]"},
	{"(I1\nI2\nt.", "(1, 2)"},
	{"(t.", "()"},
	{"(I1\nI2\nd.", "{1: 2}"},
	{"(lp0\nI5\nag0\na.", "recursive"},
	{"(lp7\nI5\na.", "[5]"},
	{"c__builtin__\nlong\n.", "<builtins.int>"},
	{"cm\x1b\nC\x01\n.", `<m\x1b.C\x01>`},
	{"cQueue\nEmpty\n.", "<queue.Empty>"},
	{"cexceptions\nKeyError\n.", "<builtins.KeyError>"},
	{"\x80\x04cexceptions\nKeyError\n.", "<exceptions.KeyError>"},
	{"ccopy_reg\n_reconstructor\n(c__main__\nD\nc__builtin__\nobject\nNtR(dVa\nI1\nsb.", "<copyreg._reconstructor(<__main__.D>, <builtins.object>, None) state={'a': 1}>"},
	{"(i__main__\nOld\n(dVa\nI1\nsb.", "<__main__.Old() state={'a': 1}>"},
	{"(I1\ni__main__\nOld\n.", "<__main__.Old(1)>"},
	{"(c__main__\nOld\nI1\nI2\no.", "<__main__.Old(1, 2)>"},
	{"c_codecs\nencode\n(V\xff\x00a\nVlatin1\ntR.", `b'\xff\x00a'`},
	{"c__builtin__\nbytearray\n(V\xff\nVlatin-1\ntR.", `bytearray(b'\xff')`},
	{"c__builtin__\nbytes\n(tR.", "b''"},
	{"c__builtin__\nset\n((lI1\natR.", "{1}"},
	{"c__builtin__\nfrozenset\n((lI1\natR.", "frozenset({1})"},
	{"c__builtin__\nset\n(tR.", "set()"},
	{"c__builtin__\ngetattr\n(cm\nA\nVB\ntR.", "<m.A.B>"},
	// Later protocols.
	{"\x80\x03U\x03abc.", "'abc'"},
	{"\x80\x02T\x02\x00\x00\x00\xc3\xa9.", `b'\xc3\xa9'`},
	{"C\x02\x00'.", `b'\x00\''`},
	{"B\x01\x00\x00\x00a.", "b'a'"},
	{"\x8e\x01\x00\x00\x00\x00\x00\x00\x00a.", "b'a'"},
	{"\x8d\x02\x00\x00\x00\x00\x00\x00\x00\xc3\xa9.", "'é'"},
	{"\x8a\x00.", "0"},
	{"\x8a\x03\xff\xff\xff.", "-1"},
	{"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00.", "9223372036854775807"},
	{"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\xff.", "-9223372036854775808"},
	{"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\xff.", "-9223372036854775809"},
	{"\x8b\x01\x00\x00\x00\x80.", "-128"},
	{"K\x01K\x020.", "1"},
	{"K\x01(K\x02K\x031.", "1"},
	{"K\x01(0.", "1"},
	{"K\x012\x86.", "(1, 1)"},
	{"](K\x01K\x02e.", "[1, 2]"},
	{"](e.", "[]"},
	{"}(u.", "{}"},
	{"}(K\x01NK\x01K\x02u.", "{1: 2}"},
	{"\x8f(\x90.", "set()"},
	{"(\x91.", "frozenset()"},
	{"\x8f(K\x01\x88G\x3f\xf0\x00\x00\x00\x00\x00\x00\x90.", "{1}"},
	{"cm\nC\n)\x81K\x01\x86.", "(<m.C()>, 1)"},
	{"\x80\x04cm\nC\n)}\x8c\x01aK\x01s\x92.", "<m.C() keywords={'a': 1}>"},
	{"\x80\x04cm\nC\n)R\x94cm\nf\nh\x00N\x85\x86R0cm\nf\nh\x00K\x02\x86R0.", "refused"},
	{"\x80\x04cm\nC\n)R\x94cm\nf\nh\x00K\x02\x86R0.", "<m.C() state=2>"},
	{"cm\nC\n)R(K\x01K\x02e(K\x03K\x04uK\x05b.", "<m.C() items=[1, 2] pairs={3: 4} state=5>"},
	{"cfunctools\npartial\ncm\nf\n\x85R)R.", "<<functools.partial(<m.f>)>()>"},
	{"K\x01r\xff\xff\xff\xff0j\xff\xff\xff\xff.", "1"},
	{"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00K\x01\x95\x01\x00\x00\x00\x00\x00\x00\x00..", "1"},
	{"N.garbage", "None"},
	{"cdatetime\ndate\nU\x04\x07\xe8\x02\x1d\x85R.", "2024-02-29"},
	{"cdatetime\ndate\nC\x04\x07\xe7\x02\x1d\x85R.", `<datetime.date(b'\x07\xe7\x02\x1d')>`},
	{"cdatetime\ntimedelta\nK\x01K\x02K\x03\x87R.", "24h0m2.000003s"},
	{"cdatetime\ntimedelta\nK\x01J\xff\xff\xff\xffK\x03\x87R.", "<datetime.timedelta(1, -1, 3)>"},
	{"cdecimal\nDecimal\nX\x03\x00\x00\x001_0\x85R.", "<decimal.Decimal('1_0')>"},
}

func TestOpcodes(t *testing.T) {
	for _, c := range opcodeCases {
		value, err := Unmarshal([]byte(c.pickle), nil)
		switch {
		case c.want == "recursive":
			if !errors.Is(err, ErrRecursive) {
				t.Errorf("%q: %v, %v", c.pickle, value, err)
			}
			continue
		case c.want == "refused":
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%q: %v, %v", c.pickle, value, err)
			}
			continue
		case err != nil:
			t.Errorf("%q: %v", c.pickle, err)
			continue
		}
		if got := show(value); got != c.want {
			t.Errorf("%q: read as %s, want %s", c.pickle, got, c.want)
		}
		for _, protocol := range []int{2, 4} {
			b, err := Append(nil, value, &Options{Protocol: protocol})
			if err != nil {
				if !strings.Contains(c.want, "exceptions.KeyError") {
					t.Errorf("%q: %v", c.pickle, err)
				}
				continue
			}
			back, err := Unmarshal(b, nil)
			if err != nil || show(back) != c.want && !strings.Contains(c.want, "keywords") {
				t.Errorf("%q: protocol %d: read again as %s, %v", c.pickle, protocol, show(back), err)
			}
		}
	}
}

// refused are pickles and the errors that Unmarshal returns for them.
var refused = []struct {
	pickle string
	kind   error
	says   string
}{
	{"", ErrTruncated, "cut off"},
	{"N", ErrTruncated, "cut off"},
	{"X\xff\xff\xff\x7fabc", ErrSyntax, "opcode BINUNICODE at byte 0"},
	{"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc", ErrSyntax, "cut off"},
	{"\x96\x00\x00\x00\x00\x00\x00\x00\x80.", ErrSyntax, "cut off"},
	{"Vabc", ErrSyntax, "cut off"},
	{".", ErrSyntax, "too few"},
	{"(.", ErrSyntax, "at the end"},
	{"NN.", ErrSyntax, "2 values at the end"},
	{"a.", ErrSyntax, "too few"},
	{"e.", ErrSyntax, "no mark"},
	{"](K\x01a.", ErrSyntax, "too few"},
	{"\xff.", ErrOpcode, "opcode 0xff at byte 0"},
	{"hello", ErrSyntax, "BINGET"},
	{"\x80\x06N.", ErrSyntax, "protocol 6"},
	{"\x95\x09\x00\x00\x00\x00\x00\x00\x00N.", ErrSyntax, "FRAME"},
	{"h\x05.", ErrSyntax, "no memo value 5"},
	{"g-1\n.", ErrSyntax, "not an index"},
	{"Ix\n.", ErrSyntax, "not an int"},
	{"I+-1\n.", ErrSyntax, "not an int"},
	{"I" + strings.Repeat("9", 4302) + "\n.", ErrLimit, "4302 decimal digits"},
	{"F1_0\n.", ErrSyntax, "not a float"},
	{"F0x1p4\n.", ErrSyntax, "not a float"},
	{"V\\u12\n.", ErrSyntax, "cut off"},
	{"V\\U00110000\n.", ErrSyntax, `"\\U00110000" is not a character`},
	{"V\\u\x80\x00V\x1b\n.", ErrSyntax, `"\\u\x80\x00V\x1b" is not a character`},
	{"Sabc\n.", ErrSyntax, "quotes"},
	{"S'\\x1'\n.", ErrSyntax, "escape"},
	{"\x8c\x01\xff.", ErrUTF8, "UTF-8"},
	{"\x8c\x02\xed\xa0.", ErrUTF8, "UTF-8"},
	{"}]Ns.", ErrKey, "list"},
	{"\x8f(}\x90.", ErrKey, "dict"},
	{"(]\x85\x91.", ErrKey, "tuple"},
	{"}(Nu.", ErrSyntax, "key without a value"},
	{"(Nd.", ErrSyntax, "key without a value"},
	{"NNa.", ErrUnsupported, "other than a list"},
	{"NNNs.", ErrUnsupported, "other than a dict"},
	{"](N\x90.", ErrUnsupported, "other than a set"},
	{"N)R.", ErrSyntax, "other than a class"},
	{"cm\nC\nNR.", ErrSyntax, "not a tuple"},
	{"cm\nC\n)N\x92.", ErrSyntax, "not a dict"},
	{"NN\x93.", ErrSyntax, "not strs"},
	{"]Nb.", ErrUnsupported, "other than an object"},
	{"cm\nC\n)RNb.", ErrUnsupported, "None"},
	{"cm\nC\n)RK\x01bK\x01b.", ErrUnsupported, "second state"},
	{"cm\nC\n)RK\x01bNa.", ErrUnsupported, "already has"},
	{"cm\nC\n)RK\x01bNNs.", ErrUnsupported, "after its state"},
	{"Ncm\nC\n)R0.", ErrUnsupported, "discarded"},
	{"N(cm\nC\n)R1.", ErrUnsupported, "discarded"},
	{"Pabc\n.", ErrUnsupported, "persistent_load"},
	{"NQ.", ErrUnsupported, "persistent_load"},
	{"\x82\x01.", ErrUnsupported, "extension codes"},
	{"\x83\x01\x00.", ErrUnsupported, "extension codes"},
	{"\x84\x01\x00\x00\x00.", ErrUnsupported, "extension codes"},
	{"\x97.", ErrUnsupported, "buffers"},
	{"N\x98.", ErrUnsupported, "buffers"},
	{"]\x94h\x00a.", ErrRecursive, "recursive"},
	{"]\x94h\x00\x85a.", ErrRecursive, "recursive"},
	{"}\x94Nh\x00s.", ErrRecursive, "recursive"},
	{"cm\nC\n)R\x94h\x00b.", ErrRecursive, "recursive"},
	{strings.Repeat("]", 10_002) + strings.Repeat("a", 10_001) + ".", ErrLimit, "one another"},
	{bomb(40), ErrLimit, "larger than"},
	{"c__builtin__\nset\nq\x00](" + strings.Repeat("N", 100) + "eq\x010(" + strings.Repeat("h\x00h\x01\x85R", 100) + "t.", ErrLimit, "copy more"},
	{"(X\x64\x00\x00\x00" + strings.Repeat("a", 100) + "\x94c_codecs\nencode\n\x94" + strings.Repeat("h\x01h\x00\x8c\x06latin1\x86R", 1000) + "t.", ErrLimit, "copy more"},
}

// bomb returns a pickle of lists of two references to a list of two references,
// and so on: 2**n items.
func bomb(n int) string {
	return "]\x94" + strings.Repeat("2\x86\x94", n) + "."
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		name := c.pickle[:min(len(c.pickle), 60)]
		value, err := Unmarshal([]byte(c.pickle), nil)
		var e *Error
		if value != nil || !errors.Is(err, c.kind) || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, %v, want %q", name, value, err, c.says)
		}
		if c.kind == ErrUnsupported && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%q: %v is no errors.ErrUnsupported", name, err)
		}
	}
}

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		pickle string
		limits Limits
	}{
		{"]]a.", Limits{Bytes: 3}},
		{"]]a.", Limits{Opcodes: 3}},
		{"]]]aa.", Limits{Depth: 1}},
		{"]\x94]\x94a.", Limits{Memo: 1}},
		{"](NNNNe.", Limits{Total: 79}},
		{"X\x40\x00\x00\x00" + strings.Repeat("x", 64) + ".", Limits{Total: 79}},
	} {
		if v, err := Unmarshal([]byte(c.pickle), &c.limits); !errors.Is(err, ErrLimit) {
			t.Errorf("%q with %+v: %v, %v", c.pickle, c.limits, v, err)
		}
		if _, err := Unmarshal([]byte(c.pickle), &Limits{Bytes: 100, Opcodes: 8, Depth: 2, Memo: 2, Total: 80}); err != nil {
			t.Errorf("%q: %v", c.pickle, err)
		}
	}
}
