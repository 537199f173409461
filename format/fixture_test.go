package format_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/pyvalue"
)

// fixtures is a folder of testdata. The README.md there describes it.
type fixtures struct {
	dir    string
	layout format.Layout

	ByteOrder string
	Layout    string
	Lists     []fixture
	Refused   []fixture
	Sets      []fixture
	Patches   []fixture
}

// A fixture is a case of any of the four lists. Each list uses some of the members.
type fixture struct {
	Name   string
	Expr   string
	Before string
	Index  int
	Value  json.RawMessage
	Values json.RawMessage
	Repeat int
	Error  string

	File   string
	Size   int
	SHA256 string
	After  string

	Slot   [2]int
	Format string
	Code   int8
	Codes  []int8
	Read   json.RawMessage
	Reads  []json.RawMessage
	Kept   bool
}

// forFixtures runs a test once for each folder of testdata.
func forFixtures(t *testing.T, test func(t *testing.T, f *fixtures)) {
	manifests, err := filepath.Glob("../testdata/*/manifest.json")
	if err != nil || len(manifests) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, manifest := range manifests {
		f := &fixtures{dir: filepath.Dir(manifest)}
		t.Run(filepath.Base(f.dir), func(t *testing.T) {
			text, err := os.ReadFile(manifest)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, f); err != nil {
				t.Fatal(err)
			}
			if little := binary.NativeEndian.Uint16([]byte{1, 0}) == 1; little != (f.ByteOrder == "little") {
				t.Skipf("these bytes are %s-endian, this machine is not", f.ByteOrder)
			}
			f.layout = map[string]format.Layout{"sizes": format.Sizes, "offsets": format.Offsets}[f.Layout]
			test(t, f)
		})
	}
}

// file returns the bytes of a list, 8-byte aligned, or nil for a list of which only
// the hash is recorded.
func (f *fixtures) file(t *testing.T, c fixture) []byte {
	t.Helper()
	if c.File == "" {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, c.File))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) != c.Size {
		t.Fatalf("%s has %d bytes, the manifest says %d", c.File, len(data), c.Size)
	}
	return aligned(data)
}

// before returns the bytes before a set: the bytes of a list, or the bytes that an
// earlier set left.
func (f *fixtures) before(t *testing.T, name string) []byte {
	t.Helper()
	for _, c := range f.Lists {
		if c.Name == name {
			return f.file(t, c)
		}
	}
	for _, c := range f.Sets {
		if c.Name == name {
			return c.after(t)
		}
	}
	t.Fatalf("no list and no set is called %q", name)
	return nil
}

func (c fixture) after(t *testing.T) []byte {
	t.Helper()
	data, err := hex.DecodeString(c.After)
	if err != nil {
		t.Fatal(err)
	}
	return aligned(data)
}

func aligned(data []byte) []byte {
	return append(make([]byte, 0, len(data)+8), data...) // beyond 8 bytes, Go aligns to 8
}

func value(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	v, err := pyvalue.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// values returns the values that were passed to ShareableList.
func (c fixture) values(t *testing.T) []any {
	t.Helper()
	values := value(t, c.Values).([]any)
	if c.Repeat > 0 {
		switch v := values[0].(type) {
		case string:
			values[0] = strings.Repeat(v, c.Repeat)
		case []byte:
			values[0] = bytes.Repeat(v, c.Repeat)
		}
	}
	return values
}

// identical compares two items, floats by their bits.
func identical(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	}
	return a == b
}

// checkRead compares the values that Go and Python read from one item.
func checkRead(t *testing.T, l *format.List, i int, python json.RawMessage) {
	t.Helper()
	got, err := l.Get(i)
	var refused struct{ Error string }
	if json.Unmarshal(python, &refused) == nil && refused.Error != "" {
		if refused.Error != "UnicodeDecodeError" || !errors.Is(err, format.ErrUTF8) {
			t.Errorf("item %d: Go reads %.40q, %v; Python has a %s", i, got, err, refused.Error)
		}
		return
	}
	if err != nil {
		t.Errorf("item %d: %v; Python reads %.80s", i, err, python)
	} else if want := value(t, python); !identical(got, want) {
		t.Errorf("item %d: Go reads %#v, Python %#v", i, got, want)
	}
}

func TestFixturesDecode(t *testing.T) {
	forFixtures(t, func(t *testing.T, f *fixtures) {
		for _, c := range f.Lists {
			if c.File == "" {
				continue // the longest: TestFixturesEncode decodes them
			}
			t.Run(c.Name, func(t *testing.T) {
				data := f.file(t, c)
				l := attach(t, data)
				if err := l.Check(); err != nil {
					t.Error(err)
				}
				if l.Len() != len(c.Reads) || l.Layout() != f.layout || l.Format() != c.Format {
					t.Fatalf("%d items, %v, %q; want %d, %v, %q",
						l.Len(), l.Layout(), l.Format(), len(c.Reads), f.layout, c.Format)
				}
				for i := range l.Len() {
					checkRead(t, l, i, c.Reads[i])
					if slot, err := l.Slot(i); err != nil || slot.Code != c.Codes[i] {
						t.Errorf("item %d: %+v, %v; want code %d", i, slot, err, c.Codes[i])
					}
				}
				checkDecode(t, l, data)
			})
		}
	})
}

// checkDecode compares the values from Decode with the values read in place.
func checkDecode(t *testing.T, l *format.List, data []byte) {
	t.Helper()
	want, wantErr := l.Values()
	got, err := format.Decode(data)
	if (err == nil) != (wantErr == nil) || !slices.EqualFunc(got, want, identical) {
		t.Errorf("Decode: %#v, %v; Values: %#v, %v", got, err, want, wantErr)
	}
}

func TestFixturesEncode(t *testing.T) {
	forFixtures(t, func(t *testing.T, f *fixtures) {
		for _, c := range f.Lists {
			t.Run(c.Name, func(t *testing.T) {
				values := c.values(t)
				data, err := format.Encode(values, &format.Options{Layout: f.layout, CPythonSlots: true})
				if err != nil {
					t.Fatal(err)
				}
				checkBytes(t, "with CPythonSlots", data, f, c)

				data, err = format.Encode(values, &format.Options{Layout: f.layout})
				if err != nil {
					// Python takes these and strips them.
					if c.Kept || !errors.Is(err, format.ErrTrailingNUL) || !slices.ContainsFunc(values, endsInNUL) {
						t.Error(err)
					}
					return
				}
				if c.Kept {
					checkBytes(t, "without CPythonSlots", data, f, c)
				}
				// Where Python cuts the values, Go still does not.
				got, err := format.Decode(data)
				if err != nil || !slices.EqualFunc(values, got, identical) {
					t.Errorf("Go does not keep the values: %.200q, %v", got, err)
				}
			})
		}
	})
}

func checkBytes(t *testing.T, what string, data []byte, f *fixtures, c fixture) {
	t.Helper()
	if c.SHA256 != "" {
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != c.SHA256 || len(data) != c.Size {
			t.Errorf("%s: %d bytes with SHA-256 %x; want %d, %s", what, len(data), sum, c.Size, c.SHA256)
		}
		return
	}
	if diff := cmp.Diff(f.file(t, c), data); diff != "" {
		t.Errorf("%s the bytes differ (-Python +Go):\n%s", what, diff)
	}
}

func endsInNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.HasSuffix(v, "\x00")
	case []byte:
		return bytes.HasSuffix(v, []byte{0})
	}
	return false
}

type (
	myInt   int64
	myFloat float64
	myStr   string
	myBytes []byte
)

// A goCase is the Go value closest to a Python value that has no spelling in the
// manifest, and the reason why Go refuses it. In the zero goCase, Go has no such value.
type goCase struct {
	value any
	err   error
}

// refusedItems holds the items of the refused lists, by the list's name.
var refusedItems = map[string]goCase{
	"int-2e63":               {uint64(1 << 63), format.ErrRange},
	"int-2e63-later":         {uint64(1 << 63), format.ErrRange},
	"int-minus-2e63-minus-1": {},
	"int-2e64":               {},
	"int-2e100":              {},
	"str-surrogate":          {"\xed\xa0\x80", format.ErrUTF8},
	"str-surrogate-later":    {"\xed\xa0\x80", format.ErrUTF8},
	"str-surrogate-inside":   {"a\xed\xb2\x80b", format.ErrUTF8},
	"type-int-subclass":      {myInt(1), format.ErrType},
	"type-int-enum":          {myInt(1), format.ErrType},
	"type-float-subclass":    {myFloat(1.5), format.ErrType},
	"type-str-subclass":      {myStr("a"), format.ErrType},
	"type-bytes-subclass":    {myBytes("a"), format.ErrType},
	"type-bytearray":         {},
	"type-memoryview":        {},
	"type-decimal":           {},
	"type-fraction":          {},
	"type-complex":           {1i, format.ErrType},
	"type-list":              {[]any{1}, format.ErrType},
	"type-tuple":             {[1]any{1}, format.ErrType},
	"type-dict":              {map[any]any{}, format.ErrType},
	"type-set":               {},
	"type-range":             {},
	"type-c-float":           {},
	"type-array":             {[]int8{'a'}, format.ErrType},
	"type-type":              {},
	"type-ellipsis":          {},
	// Calls of Python's constructor have no counterpart in Go.
	"sequence-generator": {},
	"sequence-map":       {},
	"sequence-iterator":  {},
	"sequence-int":       {},
	"sequence-zero":      {},
	"sequence-false":     {},
	"name-taken":         {},
	"name-missing":       {},
}

func TestFixturesRefused(t *testing.T) {
	forFixtures(t, func(t *testing.T, f *fixtures) {
		for _, c := range f.Refused {
			t.Run(c.Name, func(t *testing.T) {
				if half := f.file(t, c); half != nil {
					if _, err := format.Attach(half); !errors.Is(err, format.ErrIncomplete) {
						t.Errorf("what Python left behind: %v, want %v", err, format.ErrIncomplete)
					}
				}
				if c.Values != nil {
					checkEncodeRefuses(t, c.values(t), f.layout, format.ErrTooLarge)
					return
				}
				item, ok := refusedItems[c.Name]
				if !ok {
					t.Fatal("the test does not know this case")
				}
				if item.err != nil {
					checkEncodeRefuses(t, []any{7, "ab", item.value, 8}, f.layout, item.err)
				}
			})
		}
	})
}

func checkEncodeRefuses(t *testing.T, values []any, layout format.Layout, want error) {
	t.Helper()
	for _, cpython := range []bool{false, true} {
		data, err := format.Encode(values, &format.Options{Layout: layout, CPythonSlots: cpython})
		if data != nil || !errors.Is(err, want) {
			t.Errorf("Encode with CPythonSlots %v: %d bytes, %v; want %v", cpython, len(data), err, want)
		}
	}
}

// setItems holds the values that the sets assign where the manifest has no value, by
// expression. Python takes the two subclasses and stores the values that they hold.
var setItems = map[string]goCase{
	"2**63":            {uint64(1 << 63), format.ErrRange},
	"-2**63 - 1":       {},
	`'\ud800'`:         {"\xed\xa0\x80", format.ErrUTF8},
	"Int(5)":           {myInt(5), format.ErrType},
	"Float(2.5)":       {myFloat(2.5), format.ErrType},
	"[5]":              {[]any{5}, format.ErrType},
	"bytearray(b'ab')": {},
	"Str('ab')":        {myStr("ab"), format.ErrType},
	"Bytes(b'ab')":     {myBytes("ab"), format.ErrType},
}

// setErrors holds Go's errors where Python refuses a value that Go has too.
var setErrors = map[string]error{"ValueError": format.ErrTooLong, "IndexError": format.ErrIndex}

func TestFixturesSet(t *testing.T) {
	forFixtures(t, func(t *testing.T, f *fixtures) {
		for _, c := range f.Sets {
			t.Run(c.Name, func(t *testing.T) {
				before := f.before(t, c.Before)
				if c.Index < 0 {
					// Go refuses the index, Python counts it from the end.
					checkSetRefuses(t, before, c.Index, 5, format.ErrIndex)
					c.Index += attach(t, before).Len()
				}
				if c.Value == nil {
					item, ok := setItems[c.Expr]
					if !ok {
						t.Fatal("the test does not know this expression")
					}
					if item.err != nil {
						checkSetRefuses(t, before, c.Index, item.value, item.err)
					}
					return
				}
				v := value(t, c.Value)
				switch {
				case c.Kept:
					checkKeptSet(t, before, v, c)
				case c.Error != "":
					if diff := cmp.Diff(before, c.after(t)); diff != "" {
						t.Errorf("Python has changed the bytes:\n%s", diff)
					}
					checkSetRefuses(t, before, c.Index, v, setErrors[c.Error])
				default:
					// Python stores it and strips it.
					checkSetRefuses(t, before, c.Index, v, format.ErrTrailingNUL)
				}
			})
		}
	})
}

func checkKeptSet(t *testing.T, buf []byte, v any, c fixture) {
	t.Helper()
	l := attach(t, buf)
	if err := l.Set(c.Index, v); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.after(t), buf); diff != "" {
		t.Errorf("the bytes differ (-Python +Go):\n%s", diff)
	}
	checkItem(t, l, c)
}

func checkItem(t *testing.T, l *format.List, c fixture) {
	t.Helper()
	checkRead(t, l, c.Index, c.Read)
	slot, err := l.Slot(c.Index)
	if err != nil {
		t.Fatal(err)
	}
	if slot.Offset != c.Slot[0] || slot.Capacity != c.Slot[1] || slot.Format != c.Format || slot.Code != c.Code {
		t.Errorf("%+v; Python has slot %v, format %q, code %d", slot, c.Slot, c.Format, c.Code)
	}
}

func checkSetRefuses(t *testing.T, buf []byte, i int, v any, want error) {
	t.Helper()
	before := slices.Clone(buf)
	if err := attach(t, buf).Set(i, v); !errors.Is(err, want) || err == nil {
		t.Errorf("Set(%d, %v): %v, want %v", i, v, err, want)
	}
	if diff := cmp.Diff(before, buf); diff != "" {
		t.Errorf("the refused Set has changed the bytes:\n%s", diff)
	}
}

func TestFixturesPatched(t *testing.T) {
	forFixtures(t, func(t *testing.T, f *fixtures) {
		for _, c := range f.Patches {
			t.Run(c.Name, func(t *testing.T) {
				l := attach(t, c.after(t))
				if err := l.Check(); err != nil {
					t.Error(err)
				}
				checkItem(t, l, c)
			})
		}
	})
}
