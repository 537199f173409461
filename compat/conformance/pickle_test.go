package conformance

import (
	_ "embed"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

//go:embed pickle_values.py
var pickleValues string

// startPickler starts a peer with the functions of pickle_values.py.
func startPickler(t *testing.T, py compat.Interpreter) *compat.Peer {
	t.Helper()
	p := start(t, py, compat.Timeout(2*time.Minute))
	check(t, p.Exec("import types\nvalues = sys.modules['pyshm_pickle_values'] = types.ModuleType('pyshm_pickle_values')"))
	_, err := p.Do([]compat.Request{{Op: "exec", Args: []any{"exec(compile(" + pyRepr(pickleValues) + ", 'pickle_values.py', 'exec'), values.__dict__)"}}})
	check(t, err)
	check(t, p.Exec("values.generate"))
	return p
}

// pyRepr quotes ASCII text as a Python literal.
func pyRepr(s string) string { return fmt.Sprintf("%+q", s) }

// ask calls a function of pickle_values.py.
func ask[T any](t *testing.T, p *compat.Peer, function string, args ...any) T {
	t.Helper()
	check(t, p.Exec("arguments = []"))
	var requests []compat.Request
	for _, arg := range args {
		requests = append(requests, compat.Request{Op: "exec", Args: []any{"arguments.append(" + literal(arg) + ")"}})
	}
	requests = append(requests, compat.Request{Op: "eval", Args: []any{"values." + function + "(*arguments)"}})
	replies, err := p.Do(requests)
	check(t, err)
	for _, reply := range replies {
		check(t, reply.Err)
	}
	return replies[len(replies)-1].Value.(T)
}

func literal(v any) string {
	if b, ok := v.([]byte); ok {
		return fmt.Sprintf("bytes.fromhex('%x')", b)
	}
	return fmt.Sprint(v)
}

// TestPicklesOfPython has Python pickle random values, of plain data and of all sorts of
// classes, in every protocol. Go reads the pickles and writes them again. The values that
// Python then reads are the same in every bit.
func TestPicklesOfPython(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t) >> 1
	count := soak.Length(50, 10_000)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Pickles)
		p := startPickler(t, py)
		for done := 0; done < count && !t.Failed(); done += 50 {
			pickles := ask[[]any](t, p, "generate", seed+uint64(done), 50)
			for _, protocol := range []int{4, 2} {
				rewritePickles(t, p, pickles, protocol)
			}
		}
	})
}

// rewritePickles gives pickles back to Python in a protocol.
func rewritePickles(t *testing.T, p *compat.Peer, pickles []any, protocol int) {
	t.Helper()
	var again []any
	for _, dumped := range pickles {
		value, err := pickle.Unmarshal(dumped.([]byte), nil)
		if err != nil {
			t.Fatalf("%v\n%.4000x", err, dumped)
		}
		b, err := pickle.Append(nil, value, &pickle.Options{Protocol: protocol})
		if err != nil {
			t.Fatalf("%v\n%.4000x", err, dumped)
		}
		back, err := pickle.Unmarshal(b, nil)
		if err != nil || protocol == 4 && fmt.Sprint(back) != fmt.Sprint(value) {
			t.Fatalf("%v: %.500v is read again as %.500v\n%.4000x", err, value, back, dumped)
		}
		again = append(again, b)
	}
	for _, wrong := range ask[[]any](t, p, "verify", again...) {
		wrong := wrong.([]any)
		i := wrong[0].(int64)
		t.Fatalf("protocol %d: %v\n%.4000x\n%.4000x", protocol, wrong[1], pickles[i], again[i])
	}
}

// TestPicklesOfGo has Go pickle random values of its types for plain data. Python reads
// the pickles and pickles the values in every protocol. The values that Go then reads are
// the same.
func TestPicklesOfGo(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	batches := soak.Length(1, 300)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startPickler(t, py)
		for batch := range batches {
			g := generator{soak.Rand(seed, batch)}
			var values, pickles []any
			for i := range 100 {
				v := g.plain(4)
				b, err := pickle.Append(nil, v, &pickle.Options{Protocol: 2 + 2*(i%2)})
				if err != nil {
					t.Fatalf("%v: %v", v, err)
				}
				values, pickles = append(values, v), append(pickles, b)
			}
			for i, written := range ask[[]any](t, p, "repeat", pickles...) {
				for protocol, b := range written.([]any) {
					back, err := pickle.Unmarshal(b.([]byte), nil)
					if err != nil || !pickle.Equal(back, values[i]) {
						t.Fatalf("protocol %d: %v, %.500v\nis read back as\n%.500v\n%.4000x", protocol, err, values[i], back, b)
					}
				}
			}
		}
	})
}

// plain returns a value of plain data. It has no NaN, because a NaN is not equal to
// itself.
func (g generator) plain(depth int) any {
	if depth > 0 && g.IntN(2) == 0 {
		return g.container(depth - 1)
	}
	switch g.IntN(9) {
	case 0:
		n := new(big.Int).Lsh(big.NewInt(g.Int64()), uint(g.IntN(300)))
		if g.IntN(2) == 0 {
			n.Not(n)
		}
		if n.IsInt64() {
			return n.Int64()
		}
		return n
	case 1:
		return pick(g, pickle.Decimal("1.50"), "1E+3", "-0", "Infinity")
	case 2:
		return complex(g.NormFloat64(), 1)
	case 3:
		year := 1 + g.IntN(9999)
		return time.Date(year, 1, 1+g.IntN(300), g.IntN(24), 0, 0, 1000*g.IntN(1e6), pick(g, time.UTC, time.FixedZone("", 3600), time.FixedZone("X", -60)))
	case 4:
		return time.Duration(g.Int64()).Truncate(time.Microsecond)
	case 5:
		return pickle.DateTime{
			Date:      pickle.Date{Year: 1 + g.IntN(9999), Month: time.Month(1 + g.IntN(12)), Day: 1 + g.IntN(28)},
			TimeOfDay: pickle.TimeOfDay{Hour: g.IntN(24), Microsecond: g.IntN(1e6), Fold: g.IntN(2)},
		}
	}
	for {
		v := g.value(g.size())
		if f, ok := v.(float64); !ok || !math.IsNaN(f) {
			return v
		}
	}
}

// key returns a plain value that can be hashed.
func (g generator) key() any {
	if g.IntN(8) == 0 {
		return pickle.Tuple{g.key(), g.key()}
	}
	return g.plain(0)
}

func (g generator) container(depth int) any {
	items := make([]any, g.IntN(5))
	for i := range items {
		items[i] = g.plain(depth)
	}
	if len(items) > 2 {
		items[2] = items[0] // twice the same
	}
	keys := make([]any, g.IntN(12))
	for i := range keys {
		keys[i] = g.key()
	}
	switch g.IntN(6) {
	case 0:
		return pickle.Tuple(items)
	case 1:
		s, _ := pickle.NewSet(keys...)
		return s
	case 2:
		s, _ := pickle.NewFrozenSet(keys...)
		return s
	case 3:
		d := &pickle.Dict{}
		for _, key := range keys {
			d.Set(key, g.plain(depth))
		}
		return d
	case 4:
		return pickle.ByteArray(strings.Repeat("\x00\xff", g.IntN(9)))
	}
	return items
}

// TestPickleEquality compares Python's == and dicts with Equal and Dict, on the same keys.
func TestPickleEquality(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t) >> 1
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startPickler(t, py)
		pairs, equal := soak.Length(1200, 100_000), 0
		for _, c := range ask[[]any](t, p, "comparisons", seed, pairs) {
			c := c.([]any)
			a := must(pickle.Unmarshal(c[0].([]byte), nil))(t)
			b := must(pickle.Unmarshal(c[1].([]byte), nil))(t)
			if got := pickle.Equal(a, b); got != c[2] {
				t.Errorf("Equal(%.200v, %.200v) = %t, in Python %v", a, b, got, c[2])
			}
			d := must(pickle.NewDict(pickle.Pair{Key: a}))(t)
			if _, found := d.Get(b); found != c[3] {
				t.Errorf("in {%.200v}, %.200v is found: %t, in Python %v", a, b, found, c[3])
			}
			if c[2] == true {
				equal++
			}
		}
		if equal < pairs/8 {
			t.Errorf("only %d pairs are equal", equal)
		}
	})
}

// rewriteSource has the Python function that compares arrays.
const rewriteSource = `
import pickle

def same(a, b):
    return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() and a.flags.f_contiguous == b.flags.f_contiguous
`

// rewrite has Python pickle the value of an expression. The variable "value" gets the
// value that Python reads of the pickle. The variable "back" gets the value that Python
// reads after Go has read the pickle and written it again.
func rewrite(t *testing.T, p *compat.Peer, expression string, protocol int) (value any) {
	t.Helper()
	check(t, p.Exec(fmt.Sprintf("dumped = pickle.dumps(%s, %d)\nvalue = pickle.loads(dumped)", expression, protocol)))
	b := must(p.Eval("dumped"))(t).([]byte)
	value, err := pickle.Unmarshal(b, nil)
	if err != nil {
		t.Fatalf("%s: %v\n%x", expression, err, b)
	}
	again := must(pickle.Marshal(value))(t)
	check(t, p.Exec(fmt.Sprintf("back = pickle.loads(bytes.fromhex('%x'))", again)))
	return value
}

func TestPicklesOfNumpy(t *testing.T) {
	t.Parallel()
	tested := false
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		if !py.HasNumpy {
			t.Skip("this interpreter has no numpy")
		}
		tested = true
		p := start(t, py)
		check(t, p.Exec(rewriteSource+"import numpy as np"))
		for _, expression := range []string{
			"np.int64(7)", "np.float32(1.5)", "np.bool_(True)", "np.datetime64('2024-02-29T12:00', 'us')",
			"np.arange(6, dtype='>i2').reshape(2, 3)", "np.asfortranarray(np.ones((2, 3)))", "np.arange(10)[::3]",
			"np.zeros(0)", "np.array(['a', 'bcd'])", "np.array([(1, 2.5)], dtype=[('n', 'i4'), ('x', 'f8')])",
		} {
			for protocol := range 6 {
				rewrite(t, p, expression, protocol)
				if must(p.Eval("same(value, back)"))(t) != true {
					t.Errorf("protocol %d: %s came back as %v", protocol, expression, must(p.Eval("repr(back)"))(t))
				}
			}
		}
		// A pickle that every numpy reads, with only public names.
		b := must(pickle.Marshal(&pickle.Object{
			Class: pickle.Class{Module: "numpy", Name: "ndarray"},
			Args:  pickle.Tuple{pickle.Tuple{1, 2}, "<f8", pickle.ByteArray("\x00\x00\x00\x00\x00\x00\xf8?\x00\x00\x00\x00\x00\x00\x00\x40")},
		}))(t)
		if got := must(p.Eval(fmt.Sprintf("repr(pickle.loads(bytes.fromhex('%x')))", b)))(t); got != "array([[1.5, 2. ]])" {
			t.Errorf("an array of Go's is %v", got)
		}
	})
	if !tested {
		t.Log("no interpreter here has numpy")
	}
}

// A proxy that has been through Go still leads to its object, also a proxy inside of a
// list. Go sees which object the proxy is for.
func TestPicklesOfProxies(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, compat.Timeout(time.Minute))
		check(t, p.Exec(rewriteSource+"from multiprocessing import managers\nmanager = managers.SyncManager(authkey=multiprocessing.current_process().authkey)\nmanager.start()\nshared, queue = manager.list([1]), manager.Queue()"))
		defer func() { check(t, p.Exec("manager.shutdown()")) }()
		list := rewrite(t, p, "[shared, shared, queue]", 4).([]any)
		proxy := list[0].(*pickle.Object)
		if proxy.Class.String() != "multiprocessing.managers.RebuildProxy" || len(proxy.Args) != 4 || list[1] != list[0] {
			t.Errorf("a proxy is %v", proxy)
		}
		token := proxy.Args[1].(*pickle.Object)
		if state := token.State.(pickle.Tuple); token.Class.Name != "Token" || token.Form != pickle.New || state[0] != "list" {
			t.Errorf("a token is %v", token)
		}
		got := must(p.Eval("(back[0].append(2), back[2].put('x'), list(shared), queue.get(), back[0] is back[1])"))(t)
		if fmt.Sprint(got) != "[<nil> <nil> [1 2] x true]" {
			t.Errorf("by way of Go, %v", got)
		}
	})
}
