package compat_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// preparation is Python code that the expressions of these tests use.
const preparation = `
import array, collections, dataclasses, datetime, decimal, enum, fractions, pathlib

@dataclasses.dataclass
class Tick:
    price: float
    qty: int
    tags: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass
class Both(dict):
    field: int = 1

Pair = collections.namedtuple("Pair", "left right")

class Colour(enum.IntEnum):
    RED = 1

class Word(str, enum.Enum):
    HI = "hi"

class Plain(enum.Enum):
    ONE = 1

class Loud(int):
    def __repr__(self): return "loud"
    __str__ = __int__ = __index__ = __repr__

cycle = []
cycle.append(cycle)
`

type base struct{ ID int }

type tick struct {
	base
	Price  float64
	N      uint8 `json:"qty,omitempty"`
	Tags   []string
	Note   *string
	Hidden int `json:"-"`
}

// into returns what EvalInto stores in a new T.
func into[T any](p *compat.Peer, expression string) (any, error) {
	var v T
	err := p.EvalInto(&v, expression)
	return v, err
}

// intoUTC returns a time in UTC, without the location of this machine.
func intoUTC(p *compat.Peer, expression string) (any, error) {
	var v time.Time
	err := p.EvalInto(&v, expression)
	return v.UTC(), err
}

type intoTest struct {
	into       func(*compat.Peer, string) (any, error)
	expression string
	want       any // or the text of an error
}

var stored = []intoTest{
	{into[any], "None", nil},
	{into[any], "(1, 2.5, True, 'é', b'\\xff', None, 2**64, {'a': [{}]})", []any{
		int64(1), 2.5, true, "é", []byte{0xff}, nil, new(big.Int).Lsh(big.NewInt(1), 64), map[string]any{"a": []any{map[string]any{}}}}},
	{into[bool], "1 == 1", true},
	{into[int8], "-128", int8(-128)},
	{into[uint64], "2**64-1", uint64(math.MaxUint64)},
	{into[big.Int], "-2**100", *new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 100))},
	{into[*big.Int], "7", big.NewInt(7)},
	{into[float64], "2**53", float64(1 << 53)},
	{into[float64], "2**1000", math.Ldexp(1, 1000)},
	{into[float64], "-0.0", math.Copysign(0, -1)},
	{into[float64], "float('-inf')", math.Inf(-1)},
	{into[float64], "struct.unpack('<d', struct.pack('<Q', 0x7ff8000000001234))[0]", math.Float64frombits(0x7ff8000000001234)},
	{into[float32], "0.5", float32(0.5)},
	{into[float32], "float('inf')", float32(math.Inf(1))},
	{into[string], "'a\\0\\U0001f600'", "a\x00\U0001F600"},
	{into[[]byte], "bytearray(b'ab')", []byte("ab")},
	{into[[]byte], "memoryview(b'abc')[::2]", []byte("ac")},
	{into[[2]byte], "b'ab'", [2]byte{'a', 'b'}},
	{into[[]uint8], "[1, 255]", []uint8{1, 255}},
	{into[[]int], "None", []int(nil)},
	{into[[]int], "()", []int{}},
	{into[[]int], "range(3)", []int{0, 1, 2}},
	{into[[2][]int], "[[1], [2, 3]]", [2][]int{{1}, {2, 3}}},
	{into[[]float64], "array.array('d', [1, .1])", []float64{1, .1}},
	{into[[][]int16], "memoryview(struct.pack('4h', 1, 2, 3, 4)).cast('B').cast('h', (2, 2))", [][]int16{{1, 2}, {3, 4}}},
	{into[map[string]int], "collections.Counter('aab')", map[string]int{"a": 2, "b": 1}},
	{into[map[string]*int], "{'a': None}", map[string]*int{"a": nil}},
	{into[tick], "{'ID': 3, 'price': 1, 'qty': 255, 'Tags': ['x']}", tick{base: base{3}, Price: 1, N: 255, Tags: []string{"x"}}},
	{into[tick], "Tick(0.5, 2)", tick{Price: .5, N: 2, Tags: []string{}}},
	{into[map[string]any], "Pair(1, Pair('a', None))", map[string]any{"left": int64(1), "right": map[string]any{"left": "a", "right": nil}}},
	{into[int], "Colour.RED", 1},
	{into[string], "Word.HI", "hi"},
	{into[int], "Loud(7)", 7},
	{into[string], "datetime.datetime(2024, 2, 29, 1, 2, 3, 4)", "2024-02-29T01:02:03.000004"},
	{intoUTC, "datetime.datetime(2024, 2, 29, 3, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=2)))", time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)},
	{into[any], "datetime.date(2024, 2, 29), datetime.time(1, 2)", []any{"2024-02-29", "01:02:00"}},
	{into[json.RawMessage], "{'a': [1, 2.5, 2**70, None]}", json.RawMessage(`{"a":[1,2.5,1180591620717411303424,null]}`)},
	{into[json.RawMessage], "None", json.RawMessage("null")},
}

var refused = []intoTest{
	{into[int8], "128", "int8 cannot hold 128"},
	{into[uint], "-1", "uint cannot hold -1"},
	{into[int64], "2**63", "int64 cannot hold 9223372036854775808"},
	{into[int], "1.0", "int cannot hold 1.0"},
	{into[int], "True", "int cannot hold True"},
	{into[int], "None", "int cannot hold None"},
	{into[bool], "1", "bool cannot hold 1"},
	{into[string], "b'a'", "string cannot hold b'a'"},
	{into[[]byte], "'a'", "[]uint8 cannot hold 'a'"},
	{into[float64], "2**53 + 1", "float64 cannot hold 9007199254740993"},
	{into[float64], "2**1024", "float64 cannot hold 1797"},
	{into[float32], "0.1", "float32 cannot hold 0.1"},
	{into[float32], "1e39", "float32 cannot hold 1e+39"},
	{into[complex128], "1", "complex128 cannot hold 1"},
	{into[error], "1", "error cannot hold 1"},
	{into[[3]int], "[1, 2]", "a list of 2 items does not fit [3]int"},
	{into[[3]byte], "b'ab'", "[3]uint8 cannot hold b'ab'"},
	{into[map[int]int], "{'1': 2}", "map[int]int cannot hold a dict"},
	{into[[][]float64], "[[1], [2, 'x']]", "[1][1]: float64 cannot hold 'x'"},
	{into[map[string][]int], "{'a': [2**80]}", `["a"][0]: int cannot hold 1208925819614629174706176`},
	{into[tick], "Tick(0.5, 256)", ".qty: uint8 cannot hold 256"},
	{into[tick], "{'hidden': 1}", `no field for the key "hidden"`},
	{into[tick], "{'PRICE': 1, 'price': 2}", `the keys "PRICE" and "price" are both for the field Price`},
	{into[time.Time], "datetime.datetime(2024, 2, 29)", "parsing time"},
	{into[time.Time], "None", "time.Time cannot hold None"},
	{into[any], "{1: 2}", "TypeError: Go has no type for a dict with the key 1, which is no str"},
	{into[any], "[{'a': {2}}]", "TypeError: Go has no type for set, which has no order: sort it"},
	{into[any], "1j", "TypeError: Go has no type for complex"},
	{into[any], "decimal.Decimal(1)", "TypeError: Go has no type for Decimal"},
	{into[any], "datetime.timedelta(1)", "TypeError: Go has no type for timedelta"},
	{into[any], "Plain.ONE", "TypeError: Go has no type for Plain"},
	{into[any], "Tick", "TypeError: Go has no type for type"},
	{into[any], "Both()", "TypeError: Go has no type for Both, which has fields and a content"},
	{into[any], "object()", "TypeError: Go has no type for object"},
	{into[any], "cycle", "RecursionError"},
	{into[json.RawMessage], "[float('nan')]", "unsupported value: NaN"},
	{into[any], "['\\ud800']", "a lone surrogate"},
	{into[any], "{'\\ud800': 1}", "a lone surrogate"},
}

func (test intoTest) wantStored(t *testing.T, p *compat.Peer) {
	t.Helper()
	got, err := test.into(p, test.expression)
	if err != nil {
		t.Errorf("%s: %v", test.expression, err)
	} else if !sameBits(reflect.ValueOf(&got).Elem(), reflect.ValueOf(&test.want).Elem()) {
		t.Errorf("%s: %#v, want %#v", test.expression, got, test.want)
	}
}

func (test intoTest) wantRefused(t *testing.T, p *compat.Peer) {
	t.Helper()
	got, err := test.into(p, test.expression)
	if err == nil || !strings.Contains(err.Error(), test.want.(string)) {
		t.Errorf("%s: %#v, error %v; want one that says %q", test.expression, got, err, test.want)
	}
	if v := reflect.ValueOf(got); v.IsValid() && !v.IsZero() {
		t.Errorf("%s: %v, but stored: %#v", test.expression, err, got)
	}
}

// sameBits compares floats by their bits, and the rest deeply.
func sameBits(a, b reflect.Value) bool {
	if a.Kind() == reflect.Interface && b.Kind() == reflect.Interface {
		return sameBits(a.Elem(), b.Elem())
	}
	if a.IsValid() && b.IsValid() && a.Type() == b.Type() {
		switch a.Kind() {
		case reflect.Float32, reflect.Float64:
			return math.Float64bits(a.Float()) == math.Float64bits(b.Float())
		}
	}
	return a.IsValid() == b.IsValid() && (!a.IsValid() || reflect.DeepEqual(a.Interface(), b.Interface()))
}

func TestEvalInto(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py)
		testkit.Check(t, p.Exec(preparation))
		for _, test := range stored {
			test.wantStored(t, p)
		}
		for _, test := range refused {
			test.wantRefused(t, p)
		}
		list := testkit.Must(p.CreateList("", []any{1, "a"}))(t)
		defer list.Unlink()
		intoTest{into[[]any], list.Var(), []any{int64(1), "a"}}.wantStored(t, p)
		replies := testkit.Must(p.Do([]compat.Request{{Op: "eval_data", Args: []any{"{'a': 1}"}}}))(t)
		testkit.WantEqual(t, "by Do", replies[0].Value, any(map[string]any{"a": int64(1)}))
		at, err := here(), p.EvalInto(new(any), "1 / 0")
		wantPlace(t, err, "<eval_data at "+at+">", 1)
	})
}

// TestEvalIntoReplaces: EvalInto replaces the whole variable if it succeeds, and
// nothing of it if it fails.
func TestEvalIntoReplaces(t *testing.T) {
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	old := map[string]int{"old": 1}
	v := struct {
		A    map[string]int
		B, C int
	}{old, 2, 3}
	before := v
	for _, expression := range []string{"{'A': {'new': 1}, 'B': 'x'}", "1 / 0", "{'A': {}, 'D': 1}"} {
		if err := p.EvalInto(&v, expression); err == nil || !reflect.DeepEqual(v, before) || old["old"] != 1 || len(old) != 1 {
			t.Errorf("%s: %v, %v", expression, v, err)
		}
	}
	testkit.Check(t, p.EvalInto(&v, "{'A': {'new': 1}, 'B': 7}"))
	if want := map[string]int{"new": 1}; !reflect.DeepEqual(v.A, want) || v.B != 7 || v.C != 0 || len(old) != 1 {
		t.Errorf("%v, the old map %v", v, old)
	}
	for _, dst := range []any{nil, v, (*int)(nil), map[string]any{}} {
		if err := p.EvalInto(dst, "{}"); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("into %#v: %v", dst, err)
		}
	}
}

var storedFromNumpy = []intoTest{
	{into[any], "numpy.int8(-3)", int64(-3)},
	{into[uint64], "numpy.uint64(2**64-1)", uint64(math.MaxUint64)},
	{into[bool], "numpy.bool_(True)", true},
	{into[float32], "numpy.float32(0.1)", float32(0.1)},
	{into[float64], "numpy.float16(0.1)", 0.0999755859375},
	{into[float64], "numpy.float64('-inf')", math.Inf(-1)},
	{into[string], "numpy.str_('é')", "é"},
	{into[[]byte], "numpy.bytes_(b'ab')", []byte("ab")},
	{into[int], "numpy.array(7)", 7},
	{into[[]float64], "numpy.zeros(0)", []float64{}},
	{into[[][]float64], "numpy.zeros((2, 0))", [][]float64{{}, {}}},
	{into[[]float32], "numpy.array([0.1, -0.0, float('inf')], '>f4')", []float32{0.1, float32(math.Copysign(0, -1)), float32(math.Inf(1))}},
	{into[[2][3]int], "numpy.arange(6).reshape(2, 3)", [2][3]int{{0, 1, 2}, {3, 4, 5}}},
	{into[[][]int], "numpy.arange(6, dtype='<u2').reshape(2, 3).T", [][]int{{0, 3}, {1, 4}, {2, 5}}},
	{into[[]int], "numpy.arange(9)[::-4]", []int{8, 4, 0}},
	{into[[][][]bool], "numpy.ones((1, 2, 1), bool)", [][][]bool{{{true}, {true}}}},
	{into[[]string], "numpy.array(['a', 'bcd'])", []string{"a", "bcd"}},
	{into[[]any], "numpy.array([1, 'a', [2]], object)", []any{int64(1), "a", []any{int64(2)}}},
	{into[[]tick], "numpy.array([(1.5, 2)], [('price', '>f8'), ('qty', 'u1')])", []tick{{Price: 1.5, N: 2}}},
	{into[tick], "numpy.array([(1.5, 2)], [('price', 'f8'), ('qty', 'u1')])[0]", tick{Price: 1.5, N: 2}},
	{into[map[string][]int], "numpy.rec.array([([1, 2],)], [('a', 'i4', 2)])[0]", map[string][]int{"a": {1, 2}}},
	{into[map[string][]float64], "{'a': numpy.arange(2.)}", map[string][]float64{"a": {0, 1}}},
	{into[[]uint8], "numpy.frombuffer(b'ab', 'u1')", []uint8("ab")},
}

var refusedFromNumpy = []intoTest{
	{into[[]float32], "numpy.array([0.5, 0.1])", "[1]: float32 cannot hold 0.1"},
	{into[[]int8], "numpy.array([1, 128])", "[1]: int8 cannot hold 128"},
	{into[[]int], "numpy.zeros((2, 2))", "[0]: int cannot hold [0.0, 0.0]"},
	{into[[]float64], "numpy.array([2**53 + 1])", "[0]: float64 cannot hold 9007199254740993"},
	{into[[][2]int], "numpy.zeros((1, 3), int)", "[0]: a list of 3 items does not fit [2]int"},
	{into[any], "numpy.array([1j])", "Go has no type for numpy's complex128"},
	{into[any], "numpy.complex64(1)", "Go has no type for numpy's complex64"},
	{into[any], "numpy.array(['2024-02-29'], 'M8[ns]')", "Go has no type for numpy's datetime64[ns]"},
	{into[any], "numpy.timedelta64(1, 's')", "Go has no type for numpy's timedelta64[s]"},
	{into[any], "numpy.ma.masked_array([1, 2], [0, 1])", "Go has no type for MaskedArray: make it a plain array"},
	{into[any], "numpy.array([numpy.datetime64(1, 's')], object)", "Go has no type for numpy's datetime64[s]"},
	{into[any], "numpy.zeros(1, 'V3')", "Go has no type for numpy's |V3"},
	{into[any], "{numpy.int64(1): 2}", "which is no str"},
}

func TestEvalIntoFromNumpy(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		if !py.HasNumpy {
			t.Skip("no numpy")
		}
		p := testkit.StartPeer(t, py)
		testkit.Check(t, p.Exec("import numpy"))
		for _, test := range storedFromNumpy {
			test.wantStored(t, p)
		}
		for _, test := range refusedFromNumpy {
			test.wantRefused(t, p)
		}
		testkit.Check(t, p.Exec("floats = numpy.random.randint(0, 256, 8 * 500, 'u1').view('f8').reshape(5, 100)"))
		var floats [5][100]float64
		testkit.Check(t, p.EvalInto(&floats, "floats"))
		var bits [500]uint64
		testkit.Check(t, p.EvalInto(&bits, "floats.ravel().view('u8')"))
		for i, want := range bits {
			if got := floats[i/100][i%100]; math.Float64bits(got) != want {
				t.Errorf("float of the bits %#x: %v, %#x", want, got, math.Float64bits(got))
			}
		}
		if wide := testkit.Must(p.Eval("numpy.dtype('g').itemsize > 8"))(t); wide == true {
			intoTest{into[any], "numpy.array([1], 'g')", "Go has no type for numpy's float"}.wantRefused(t, p)
		}
	})
}

// TestArrayOfTheExample runs the example of the documentation.
func TestArrayOfTheExample(t *testing.T) { testArray(t) }
