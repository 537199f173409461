package pickle_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	. "github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// addSeeds adds a pickle of everything, in several protocols.
func addSeeds(f *testing.F) {
	for _, v := range vectors {
		f.Add(decodeHex(f, v.hex))
	}
	for _, s := range opcodeCases {
		f.Add([]byte(s.pickle))
	}
	for _, s := range refused {
		f.Add([]byte(s.pickle))
	}
}

// memoryPerByte is the memory that Unmarshal may take for a byte of a pickle, by the
// package documentation. memoryAlways is the memory that it may take besides.
const (
	memoryPerByte = 300
	memoryAlways  = 64 << 10
)

// FuzzUnmarshal reads arbitrary bytes: Unmarshal does not panic, and takes no memory
// out of proportion. Each value that it returns can be shown, compared and written, and
// the written pickle is read as an equal value.
func FuzzUnmarshal(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		start := time.Now()
		v, err := Unmarshal(b, nil)
		if err != nil {
			if v != nil || !strings.HasPrefix(err.Error(), "pickle: unmarshal: ") {
				t.Fatalf("%v, %v", v, err)
			}
			testkit.CheckPrintable(t, err)
			return
		}
		if text := fmt.Sprint(Tuple{v}); !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("a value whose text can harm a terminal: %q", text)
		}
		again, err := Marshal(v)
		if err != nil {
			t.Fatalf("%v cannot be written: %v", v, err)
		}
		if len(again) > 40*len(b)+64 {
			t.Fatalf("%d bytes are written as %d", len(b), len(again))
		}
		back, err := Unmarshal(again, &Limits{Total: math.MaxInt})
		if err != nil {
			t.Fatalf("%v is written as %q: %v", v, again, err)
		}
		if fmt.Sprint(Tuple{v}) != fmt.Sprint(Tuple{back}) || !Equal(v, back) && !hasNaN(v) {
			t.Fatalf("%v is read again as %v", v, back)
		}
		third, err := Marshal(back)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%q is written again as %q, %v", again, third, err)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

// hasNaN reports whether a value is not equal to itself, because of a part of it.
func hasNaN(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, hasNaN)
	case Tuple:
		return slices.ContainsFunc(v, hasNaN)
	case *Dict:
		for key, value := range v.All() {
			if hasNaN(key) || hasNaN(value) {
				return true
			}
		}
		return false
	case *Set:
		return slices.ContainsFunc(slices.Collect(v.All()), hasNaN)
	case *FrozenSet:
		return slices.ContainsFunc(slices.Collect(v.All()), hasNaN)
	case TimeOfDay:
		return v.Zone != nil && hasNaN(v.Zone)
	case DateTime:
		return v.Zone != nil && hasNaN(v.Zone)
	case *Object:
		return v.Callee != nil && hasNaN(v.Callee) || slices.ContainsFunc(v.Args, hasNaN) || hasNaN(v.Keywords) ||
			slices.ContainsFunc(v.Items, hasNaN) || hasNaN(v.Pairs) || hasNaN(v.State) || hasNaN(v.Setter)
	}
	return !Equal(v, v)
}

// FuzzMemory measures memory. FuzzUnmarshal does not, since the measurement takes longer.
func FuzzMemory(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		limit := uint64(memoryPerByte*len(b) + memoryAlways)
		if allocated := alloctest.Least(limit, func() { _, _ = Unmarshal(b, nil) }); allocated > limit {
			t.Fatalf("%d bytes of pickle took %d of memory", len(b), allocated)
		}
	})
}

// FuzzMarshal makes values from the bytes, and writes and reads them.
func FuzzMarshal(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15"), false)
	f.Add([]byte(strings.Repeat("\x0b\x03", 50)), true)
	f.Fuzz(func(t *testing.T, b []byte, old bool) {
		m := maker{b, nil}
		v := m.value(20)
		o := &Options{Protocol: 4}
		if old {
			o.Protocol = 2
		}
		out, err := Append([]byte("before"), v, o)
		if err != nil {
			if string(out) != "before" || !strings.HasPrefix(err.Error(), "pickle: marshal: ") {
				t.Fatalf("%q, %v", out, err)
			}
			return
		}
		out = bytes.TrimPrefix(out, []byte("before"))
		back, err := Unmarshal(out, &Limits{Total: math.MaxInt})
		if err != nil {
			t.Fatalf("%v is written as %q: %v", v, out, err)
		}
		again, err := Append(nil, back, o)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%q is written again as %q, %v", out, again, err)
		}
	})
}

// A maker makes values, each of the next byte.
type maker struct {
	b    []byte
	made []any
}

func (m *maker) next() byte {
	if len(m.b) == 0 {
		return 0
	}
	c := m.b[0]
	m.b = m.b[1:]
	return c
}

func (m *maker) take() string {
	n := min(int(m.next()), len(m.b))
	s := string(m.b[:n])
	m.b = m.b[n:]
	return s
}

func (m *maker) value(depth int) any {
	v := m.make(depth - 1)
	m.made = append(m.made, v)
	return v
}

func (m *maker) make(depth int) any {
	kind := m.next()
	if depth <= 0 && kind > 11 {
		return nil
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return m.next()%2 == 0
	case 2:
		return int8(m.next())
	case 3:
		return uint32(m.next()) << (m.next() % 32)
	case 4:
		return float32(m.next()) / float32(m.next())
	case 5:
		return complex(float64(m.next()), float64(m.next()))
	case 6:
		return m.take()
	case 7:
		return []byte(m.take())
	case 8:
		return ByteArray(m.take())
	case 9:
		return time.Unix(int64(m.next())<<(m.next()%40), int64(m.next())*1000).In(time.FixedZone(m.take(), int(int8(m.next()))*600))
	case 10:
		return Decimal(m.take())
	case 11:
		return time.Duration(m.next()) << (m.next() % 60)
	case 12:
		return m.values(depth)
	case 13:
		return Tuple(m.values(depth))
	case 14:
		s, _ := NewSet(m.values(depth)...)
		return s
	case 15:
		s, _ := NewFrozenSet(m.values(depth)...)
		return s
	case 16:
		return m.dict(depth)
	case 17:
		return map[string]any{m.take(): m.value(depth), m.take(): m.value(depth)}
	case 18:
		return [][]int{{int(m.next())}, {}, nil}
	case 19:
		return Class{m.take(), m.take()}
	case 20, 21, 22:
		o := &Object{Class: Class{m.take(), m.take()}, Form: Form(kind - 20), Args: m.values(depth), Items: m.values(depth), Pairs: m.dict(depth), State: m.value(depth)}
		if kind == 21 {
			o.Keywords = m.dict(depth)
		}
		if m.next() == 1 {
			o.Setter = Class{"a", "b"}
		}
		return o
	case 23:
		return DateTime{Date{int(m.next()), time.Month(m.next()), int(m.next())}, TimeOfDay{Hour: int(m.next()), Fold: int(m.next())}}
	}
	if len(m.made) > 0 {
		return m.made[int(kind)%len(m.made)]
	}
	return kind
}

func (m *maker) values(depth int) []any {
	v := make([]any, m.next()%8)
	for i := range v {
		v[i] = m.value(depth)
	}
	return v
}

func (m *maker) dict(depth int) *Dict {
	d := &Dict{}
	for range m.next() % 8 {
		_ = d.Set(m.value(depth), m.value(depth))
	}
	return d
}
