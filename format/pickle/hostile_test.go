package pickle_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/alloctest"
)

// repeated returns a pickle of a tuple whose items are n times the same opcodes.
func repeated(before, what string, n int) []byte {
	return []byte(before + "(" + strings.Repeat(what, n) + "t.")
}

// TestMemory measures the pickles that take the most memory for their length.
func TestMemory(t *testing.T) {
	const class = "cm\nC\n\x940"
	for name, b := range map[string][]byte{
		"lists":      repeated("", "]", 100_000),
		"stored":     repeated("", "]\x94", 100_000),
		"dicts":      repeated("", "}", 100_000),
		"sets":       repeated("", "\x8f", 100_000),
		"pairs":      repeated("", "}NNs", 50_000),
		"items":      repeated("", "](NNNNNNNNNe", 20_000),
		"appended":   repeated("", "]Na", 50_000),
		"tuples":     []byte("N" + strings.Repeat("\x85", 9000) + "."),
		"duplicates": repeated("", "N\x852222222222", 20_000),
		"objects":    repeated(class, "h\x00)\x81", 50_000),
		"calls":      repeated(class, "h\x00)R", 50_000),
		"states":     repeated(class, "h\x00)RKab", 50_000),
		"keys":       []byte("}(" + keys(50_000) + "u."),
		"members":    []byte("\x8f(" + ints(50_000) + "\x90."),
		"frozen":     repeated("", "(N\x91", 50_000),
		"ints":       repeated("", "M\xff\xff", 100_000),
		"memo":       repeated("", "Nq\x00", 100_000),
		"high memo":  []byte("N" + puts(20_000) + "."),
		"names":      repeated("cm\nC\n\x940c__builtin__\ngetattr\n\x940X\xe8\x03\x00\x00"+strings.Repeat("a", 1000)+"\x940", "h\x01h\x00h\x02\x86R", 5000),
		"long names": repeated("cm\nC\n\x940c__builtin__\ngetattr\n\x940X\x88\x13\x00\x00"+strings.Repeat("a", 5000)+"\x940", "h\x01h\x00h\x02\x86R", 5000),
	} {
		var err error
		limit := uint64(memoryPerByte*len(b) + memoryAlways)
		allocated := alloctest.Least(limit, func() { _, err = Unmarshal(b, nil) })
		t.Logf("%-10s %7d bytes, %4d of memory for each, %v", name, len(b), allocated/uint64(len(b)), err)
		if err != nil || allocated > limit {
			t.Errorf("%s: %d bytes of pickle took %d of memory, %v", name, len(b), allocated, err)
		}
	}
}

func keys(n int) string {
	var s bytes.Buffer
	for i := range n {
		s.Write([]byte{'J', byte(i), byte(i >> 8), byte(i >> 16), 0, 'N'})
	}
	return s.String()
}

func ints(n int) string {
	var s bytes.Buffer
	for i := range n {
		s.Write([]byte{'J', byte(i), byte(i >> 8), byte(i >> 16), 0})
	}
	return s.String()
}

func puts(n int) string {
	var s bytes.Buffer
	for i := range n {
		s.Write([]byte{'r', byte(i), byte(i >> 8), byte(i >> 16), 0x70})
	}
	return s.String()
}

// Keys that collide in the hash of one process do so in no other. The keys here collide
// where the prime is known, as in CPython.
func TestKeysDoNotCollide(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("}(")
	const n = 50_000
	for i := range n { // (2**61-1) * i
		fmt.Fprintf(&b, "L%d%018dL\nN", i+1, 0)
	}
	for i := range n { // Decimals that are the same float
		fmt.Fprintf(&b, "cdecimal\nDecimal\nX\x1a\x00\x00\x001.5000000000000000%08d\x85RN", i+1)
	}
	b.WriteString("u.")
	start := time.Now()
	v, err := Unmarshal(b.Bytes(), nil)
	if err != nil || v.(*Dict).Len() != 2*n {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second { // 0.3 s
		t.Errorf("took %v", took)
	}
}

// A value with references that lead to 2**n values, if followed one by one, costs no
// more than n values.
func TestSharedValues(t *testing.T) {
	const n = 60
	b := []byte(bomb(n))
	if v, err := Unmarshal(b, nil); !errors.Is(err, ErrLimit) {
		t.Fatalf("%T, %v", v, err)
	}
	// A program can also make such a value.
	bombs := make([]any, 2)
	for i := range bombs {
		v := []any{"leaf"}
		for range n {
			v = []any{v, v}
		}
		bombs[i] = v
	}
	if !Equal(bombs[0], bombs[1]) {
		t.Error("two equal values are not")
	}
	again, err := Marshal(bombs[0])
	if err != nil || len(again) > 10*n {
		t.Errorf("%d bytes, %v", len(again), err)
	}
	if s := fmt.Sprint(Tuple(bombs)); len(s) > 10_000 {
		t.Errorf("shown with %d bytes", len(s))
	}
	nested := map[string]any{}
	for range n {
		nested = map[string]any{"a": nested, "b": nested}
	}
	if again, err = Marshal(nested); err != nil || len(again) > 20*n {
		t.Errorf("%d bytes, %v", len(again), err)
	}
}

// Marshal fails for a value that contains itself, whatever its types.
func TestMarshalRecursive(t *testing.T) {
	list := []any{nil}
	list[0] = list
	tuple := Tuple{1, nil}
	tuple[1] = []any{tuple}
	d := &Dict{}
	_ = d.Set("self", Tuple{d})
	o := &Object{Class: Class{"m", "C"}}
	o.State = o
	m := map[string]any{}
	m["a"], m["b"] = m, m
	maps := []map[string]any{{}}
	maps[0]["x"] = maps
	for _, v := range []any{list, tuple, d, o, m, maps} {
		if b, err := Marshal(v); !errors.Is(err, ErrRecursive) {
			t.Errorf("%T: %q, %v", v, b, err)
		}
		if !Equal(v, v) && fmt.Sprintf("%T", v)[0] == '*' {
			t.Errorf("%T is not equal to itself", v)
		}
	}
	s := Tuple{nil} // a key that contains itself
	s[0] = s
	if err := d.Set(s, 1); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	_ = show(list)
}

// Too much depth is an error, and not the end of the stack. A value that may be read may
// be written, compared and shown.
func TestDeep(t *testing.T) {
	for _, c := range []struct {
		what string
		wrap func(any) any
	}{
		{"list", func(v any) any { return []any{v} }},
		{"tuple", func(v any) any { return Tuple{v} }},
		{"dict", func(v any) any { d, _ := NewDict(Pair{"a", v}); return d }},
		{"frozenset", func(v any) any { s, _ := NewFrozenSet(v); return s }},
		{"slice", func(v any) any { return []map[string]any{{"a": v}} }},
		{"args", func(v any) any { return &Object{Class: Class{"m", "C"}, Args: Tuple{v}} }},
		{"callee", func(v any) any { o, _ := v.(*Object); return &Object{Class: Class{"m", "C"}, State: Tuple{o}} }},
	} {
		v := any(&Object{Class: Class{"m", "C"}})
		for range 4900 {
			v = c.wrap(v)
		}
		b, err := Marshal(v)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		back, err := Unmarshal(b, nil)
		if err != nil || c.what != "slice" && c.what != "frozenset" && !Equal(v, back) {
			t.Errorf("%s: read again as another value, %v", c.what, err)
		}
		_ = show(back)
		for range 5200 {
			v = c.wrap(v)
		}
		if b, err := Marshal(v); !errors.Is(err, ErrLimit) {
			t.Errorf("%s, deeper: %d bytes, %v", c.what, len(b), err)
		}
	}
}

// What is no list of PyPy's stays a call.
func TestPackedListsThatAreNone(t *testing.T) {
	for _, packed := range []string{
		"", "\x00\x00\x00", "\x01\x00\x00\x00", "\x01\x00\x00\x00\x02a", "\x01\x00\x00\x00\x01ab", "\x02\x00\x00\x00\x01a",
		"\xff\xff\xff\xff\x01a", "\x01\x00\x00\x00\x02\xc3\xa9", "\x01\x00\x00\x00\xffa", "\x00\x00\x00\x00a",
	} {
		b := fmt.Sprintf("\x80\x04cpypy._builtin\n_ascii_list_unpickle\nC%c%s\x85R.", len(packed), packed)
		v, err := Unmarshal([]byte(b), nil)
		if _, isCall := v.(*Object); err != nil || !isCall {
			t.Errorf("%q: %T %v, %v", packed, v, v, err)
		}
	}
}
