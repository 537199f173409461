package pickle_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	. "github.com/pyshm-go/pyshm/format/pickle"
)

// Go writes, byte for byte, the pickles that the reference of multiprocessing recommends
// to foreign programs: protocol 4, no frames, a memo for shared values alone.
func TestMarshalBytes(t *testing.T) {
	shared := []any{true}
	long := strings.Repeat("x", 16)
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "80 04 4e 2e"},
		{int64(1 << 40), "80 04 8a 06 00 00 00 00 00 01 2e"},
		{-1, "80 04 4a ffffffff 2e"},
		{uint64(1 << 63), "80 04 8a 09 0000000000000080 00 2e"},
		{int64(math.MinInt64), "80 04 8a 08 0000000000000080 2e"},
		{300, "80 04 4d 2c01 2e"},
		{new(big.Int).Neg(big.NewInt(128)), "80 04 4a 80ffffff 2e"},
		{new(big.Int).Lsh(big.NewInt(-1), 71), "80 04 8a 09 000000000000000080 2e"},
		{float32(1.5), "80 04 47 3ff8000000000000 2e"},
		{Tuple{"#RETURN", nil}, "80 04 8c07 2352455455524e 4e 86 2e"},
		{&Object{Class: Class{"queue", "Empty"}}, "80 04 8c05 7175657565 8c05 456d707479 93 29 52 2e"},
		{&Object{Class: Class{"numpy", "ndarray"}, Args: Tuple{Tuple{2}, "<f8", []byte{1}}}, "80 04 8c05 6e756d7079 8c07 6e646172726179 93 4b02 85 8c03 3c6638 43 01 01 87 52 2e"},
		{[]any{}, "80 04 5d 2e"},
		{[]any{1}, "80 04 5d 4b01 61 2e"},
		{[]int{1, 2}, "80 04 5d 28 4b01 4b02 65 2e"},
		{Tuple{1, 2, 3, 4}, "80 04 28 4b01 4b02 4b03 4b04 74 2e"},
		{map[string]any{"b": 1, "a": nil}, "80 04 7d 28 8c01 61 4e 8c01 62 4b01 75 2e"},
		{map[int8]bool{3: true, -1: false}, "80 04 7d 28 4a ffffffff 89 4b03 88 75 2e"},
		{Tuple{shared, shared}, "80 04 5d 7100 88 61 6800 86 2e"},
		{Tuple{long, long}, "80 04 8c10 78787878787878787878787878787878 7100 6800 86 2e"},
		{Tuple{"short", "short"}, "80 04 8c05 73686f7274 8c05 73686f7274 86 2e"},
		{Surrogates("\xed\xb2\x80"), "80 04 8c03 edb280 2e"},
	} {
		b, err := Marshal(c.v)
		if want := decodeHex(t, c.want); err != nil || string(b) != string(want) {
			t.Errorf("%v: %x, %v, want %s", c.v, b, err, c.want)
		}
	}
	b, err := Append([]byte("dst"), Class{"builtins", "int"}, &Options{Protocol: 2})
	if string(b) != "dst\x80\x02c__builtin__\nint\n." || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

type color int

// An error names the part of the value that cannot be written, and why.
func TestMarshalErrors(t *testing.T) {
	huge, _ := NewDict(Pair{"key", []any{0, struct{}{}}})
	for _, c := range []struct {
		v    any
		o    Options
		kind error
		says string
	}{
		{struct{}{}, Options{}, ErrType, "pickle: marshal: unsupported type: struct {}"},
		{huge, Options{}, ErrType, "pickle: marshal: value['key'][1]: unsupported type: struct {}"},
		{color(1), Options{}, ErrType, "color"},
		{[]color{1}, Options{}, ErrType, "value[0]: "},
		{map[color]int{1: 1}, Options{}, ErrType, "color"},
		{map[float64]int{1: 1}, Options{}, ErrType, "map[float64]int"},
		{[3]byte{}, Options{}, ErrType, "[3]uint8"},
		{&color1, Options{}, ErrType, "color"},
		{func() {}, Options{}, ErrType, "func()"},
		{(*big.Int)(nil), Options{}, ErrType, "nil"},
		{(*Dict)(nil), Options{}, ErrType, "nil"},
		{(*Set)(nil), Options{}, ErrType, "nil"},
		{(*FrozenSet)(nil), Options{}, ErrType, "nil"},
		{(*Object)(nil), Options{}, ErrType, "nil"},
		{"\xff", Options{}, ErrUTF8, "UTF-8"},
		{"\xed\xb2\x80", Options{}, ErrUTF8, "UTF-8"},
		{Surrogates("\xed\xb2"), Options{}, ErrUTF8, "UTF-8"},
		{time.Unix(0, 1), Options{}, ErrValue, "Truncate"},
		{time.Duration(1), Options{}, ErrValue, "Truncate"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Options{}, ErrValue, "9999"},
		{Date{2023, 2, 29}, Options{}, ErrValue, "2023-02-29"},
		{TimeOfDay{Hour: 24}, Options{}, ErrValue, "24:00"},
		{DateTime{Date{2024, 2, 29}, TimeOfDay{Fold: 2}}, Options{}, ErrValue, "datetime"},
		{TimeDelta{Seconds: -1}, Options{}, ErrValue, "timedelta"},
		{Decimal("1_0"), Options{}, ErrValue, "Decimal"},
		{Class{}, Options{}, ErrValue, "without"},
		{&Object{}, Options{}, ErrValue, ".Class"},
		{&Object{Class: Class{"m", "C"}, Form: 9}, Options{}, ErrValue, "Form"},
		{&Object{Class: Class{"m", "C"}, Callee: &Object{}}, Options{}, ErrValue, "both"},
		{&Object{Class: Class{"m", "C"}, Keywords: &Dict{}}, Options{}, ErrValue, "Keywords"},
		{&Object{Class: Class{"m", "C"}, Setter: Class{"m", "f"}}, Options{}, ErrValue, "Setter"},
		{&Object{Class: Class{"m", "C"}, Setter: 1, State: 1}, Options{}, ErrType, ".Setter"},
		{&Object{Class: Class{"m", "C"}, State: Tuple{&color1}}, Options{}, ErrType, "value.State[0]: "},
		{nil, Options{Protocol: 3}, ErrUnsupported, "protocol 3"},
		{Class{"Queue", "Empty"}, Options{Protocol: 2}, ErrUnsupported, "rename"},
		{Class{"m", "é"}, Options{Protocol: 2}, ErrUnsupported, "protocol 2"},
		{Class{"m", strings.Repeat("a.", 99) + "a"}, Options{Protocol: 2}, ErrUnsupported, "protocol 2"},
		{[]any{[]any{}}, Options{Depth: 1}, ErrLimit, "nested"},
		{strings.Repeat("x", 100), Options{Bytes: 50}, ErrLimit, "longer than 50"},
		{make([]any, 100), Options{Bytes: 50}, ErrLimit, "longer than 50"},
	} {
		b, err := Append([]byte("dst"), c.v, &c.o)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || string(b) != "dst" {
			t.Errorf("%T: %q, %v, want %s", c.v, b, err, c.says)
		}
	}
}

var color1 = color(1)

// Shared values stay shared, and other values do not become shared.
func TestIdentity(t *testing.T) {
	list, d, array := []any{1}, &Dict{}, ByteArray("x")
	v := []any{list, list, []any{1}, d, d, array, array, []any{}, []any{}, ByteArray(nil), ByteArray(nil)}
	for _, protocol := range []int{2, 4} {
		b, err := Append(nil, v, &Options{Protocol: protocol})
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmarshal(b, nil)
		if err != nil || !Equal(back, v) {
			t.Fatalf("%v, %v", back, err)
		}
		items := back.([]any)
		items[0].([]any)[0] = 2
		items[3].(*Dict).Set("a", 1)
		items[5].(ByteArray)[0] = 'y'
		if got := show(items); got != "[[2], [2], [1], {'a': 1}, {'a': 1}, bytearray(b'y'), bytearray(b'y'), [], [], bytearray(b''), bytearray(b'')]" {
			t.Errorf("protocol %d: %s", protocol, got)
		}
	}
	// One empty list twice is one list when it is written again.
	value, err := Unmarshal([]byte("]\x94h\x00\x86."), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Marshal(value); string(b) != "\x80\x04]q\x00h\x00\x86." || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// A dict works as a dict after any number of changes.
func TestDict(t *testing.T) {
	var d Dict
	want := map[int]int{}
	var order []int
	for i := range 5000 {
		key := i * 7919 % 300
		if i%3 == 2 {
			if _, there := want[key]; d.Delete(float64(key)) != there {
				t.Fatalf("deleting %d", key)
			}
			delete(want, key)
			order = deleted(order, key)
		} else {
			if _, there := want[key]; !there {
				order = append(order, key)
			}
			want[key] = i
			if err := d.Set(key, i); err != nil {
				t.Fatal(err)
			}
		}
		if d.Len() != len(want) {
			t.Fatalf("%d keys, want %d", d.Len(), len(want))
		}
	}
	for key, value := range want {
		if got, ok := d.Get(int64(key)); !ok || got != value {
			t.Errorf("%d: %v", key, got)
		}
	}
	i := 0
	for key := range d.All() {
		if key != order[i] {
			t.Fatalf("key %d is %v, want %d", i, key, order[i])
		}
		i++
	}
	if err := d.Set([]any{}, 1); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if _, ok := d.Get(&Dict{}); ok {
		t.Error("a dict is found as a key")
	}
}

func deleted(order []int, key int) []int {
	for i, k := range order {
		if k == key {
			return append(order[:i:i], order[i+1:]...)
		}
	}
	return order
}

func TestEqual(t *testing.T) {
	object := func(n int) *Object { return &Object{Class: Class{"m", "C"}, State: n} }
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{1, 1.0, true}, {true, uint8(1), true}, {1, complex(1, 0), true}, {1, Decimal("1.00"), true}, {0.1, Decimal("0.1"), false},
		{int64(1<<53 + 1), float64(1 << 53), false}, {uint64(math.MaxUint64), float64(1 << 64), false},
		{nil, false, false}, {"a", []byte("a"), false}, {[]byte("a"), ByteArray("a"), true}, {"a", Surrogates("a"), true},
		{[]any{1}, Tuple{1}, false}, {[]any{1}, []any{true}, true}, {math.NaN(), math.NaN(), false},
		{object(1), object(1), true}, {object(1), object(2), false}, {Tuple{}, Tuple(nil), true},
		{time.Unix(0, 0).UTC(), time.Unix(0, 0).In(time.FixedZone("", 60)), true},
		{time.Hour, TimeDelta{Seconds: 3600}, false}, // Unmarshal returns the first, never the second
	} {
		if got := Equal(c.a, c.b); got != c.want {
			t.Errorf("Equal(%v, %v) = %t", c.a, c.b, got)
		}
		if got := Equal(c.b, c.a); got != c.want {
			t.Errorf("Equal(%v, %v) = %t", c.b, c.a, got)
		}
	}
	a, _ := NewSet(1, "x", object(1))
	b, _ := NewFrozenSet("x", 1.0, object(1))
	if !Equal(a, b) || !Equal(b, a) {
		t.Error("sets of equal items are not equal")
	}
	if key := object(1); a.Has(key) || a.Add(key) != nil || !a.Has(key) {
		t.Error("an object is a key by its identity")
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	request := decodeHex(b, "8004952200000000000000284e8c06637265617465948c0464696374947d948c0161944b017386947d9474942e")
	for b.Loop() {
		if _, err := Unmarshal(request, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	d, _ := NewDict(Pair{"a", 1})
	v := Tuple{nil, "create", Tuple{"dict", d}, &Dict{}}
	for b.Loop() {
		if _, err := Marshal(v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnmarshalRecords reads a list of 10,000 dicts.
func BenchmarkUnmarshalRecords(b *testing.B) {
	records := make([]any, 10_000)
	for i := range records {
		records[i], _ = NewDict(Pair{"id", i}, Pair{"name", fmt.Sprint("name", i)}, Pair{"score", 0.5})
	}
	p, err := Marshal(records)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := Unmarshal(p, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// A time.Duration comes back as one, also the longest ones.
func TestLongDurations(t *testing.T) {
	const day = 24 * time.Hour
	longest := time.Duration(math.MaxInt64).Truncate(time.Microsecond)
	for _, d := range []time.Duration{
		longest, -longest, 106751 * day, -106751 * day, 106751*day + time.Hour, -106751*day - time.Hour,
		106751*day - 1000, -106751*day + 1000, 0, -time.Microsecond, day, -day,
	} {
		b, err := Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unmarshal(b, nil); err != nil || back != any(d) {
			t.Errorf("%v comes back as %T %v, %v", d, back, back, err)
		}
	}
	for _, d := range []TimeDelta{
		{Days: 106751, Seconds: 85637}, {Days: 106752}, {Days: -106752}, {Days: -106753, Seconds: 86399},
		{Days: 999999999, Seconds: 86399, Microseconds: 999999}, {Days: -999999999},
	} {
		b, err := Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unmarshal(b, nil); err != nil || back != any(d) {
			t.Errorf("%+v comes back as %T %v, %v", d, back, back, err)
		}
	}
}
