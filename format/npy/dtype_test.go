package npy_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

func TestParseDtype(t *testing.T) {
	for _, tt := range []struct{ in, str, name string }{
		{"<f8", "<f8", "float64"},
		{">f8", ">f8", ">f8"},
		{"float16", "<f2", "float16"},
		{"bool", "|b1", "bool"},
		{"?", "|b1", "bool"},
		{">b1", "|b1", "bool"},
		{"=u4", "<u4", "uint32"},
		{"|i8", "<i8", "int64"},
		{"uint8", "|u1", "uint8"},
		{"complex128", "<c16", "complex128"},
		{"float128", "<f16", "float128"},
		{"c32", "<c32", "complex256"},
		{"S5", "|S5", "|S5"},
		{"U5", "<U5", "<U5"},
		{"V7", "|V7", "|V7"},
		{"M8", "<M8", "datetime64"},
		{"M8[generic]", "<M8", "datetime64"},
		{"M8[1s]", "<M8[s]", "datetime64[s]"},
		{"timedelta64[25s]", "<m8[25s]", "timedelta64[25s]"},
		{"('<f4', (2, 3))", "('<f4', (2, 3))", "('<f4', (2, 3))"},
		{"[('a', '|u1'), ('b', '<f8', (2,))]", "[('a', '|u1'), ('b', '<f8', (2,))]", "[('a', 'u1'), ('b', '<f8', (2,))]"},
		{
			"{'names':['a','b'], 'formats':['?',('<f4', (2,))], 'offsets':[0,4], 'titles':['T',None], 'itemsize':16, 'aligned':True}",
			"[(('T', 'a'), '|b1'), ('', '|V3'), ('b', '<f4', (2,)), ('', '|V4')]",
			"{'names': ['a', 'b'], 'formats': ['?', ('<f4', (2,))], 'offsets': [0, 4], 'titles': ['T', None], 'itemsize': 16}",
		},
	} {
		d, err := npy.ParseDtype(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		str := native(tt.str)
		if strings.Contains(tt.in, "<") {
			str = tt.str
		}
		if d.String() != str || nativeOrder == "<" && d.Name() != tt.name {
			t.Errorf("%s = %s, %s; want %s, %s", tt.in, d, d.Name(), str, tt.name)
		}
		for _, s := range []string{d.String(), d.Name()} {
			if again, err := npy.ParseDtype(s); err != nil || !again.Equal(d) {
				t.Errorf("%s printed as %s is %v, %v", tt.in, s, again, err)
			}
		}
	}
}

// Within aligned records, lists do not show their gaps, which depend on the machine.
func TestParseDtypeAligned(t *testing.T) {
	const in = "{'names': ['a', 'b'], 'formats': ['u1', ([('x', '<u2'), ('y', [('z', 'S1'), ('w', '<c16')])], (2,))], 'offsets': [0, 8], 'itemsize': 72, 'aligned': True}"
	str := "[('a', '|u1'), ('', '|V7'), ('b', [('x', '<u2'), ('', '|V6'), ('y', [('z', '|S1'), ('', '|V7'), ('w', '<c16')])], (2,))]"
	name := "{'names': ['a', 'b'], 'formats': ['u1', ({'names': ['x', 'y'], 'formats': ['<u2', {'names': ['z', 'w'], 'formats': ['S1', '<c16'], " +
		"'offsets': [0, 8], 'itemsize': 24}], 'offsets': [0, 8], 'itemsize': 32}, (2,))], 'offsets': [0, 8], 'itemsize': 72}"
	if runtime.GOARCH == "386" && runtime.GOOS != "windows" {
		str = "[('a', '|u1'), ('', '|V7'), ('b', [('x', '<u2'), ('', '|V2'), ('y', [('z', '|S1'), ('', '|V3'), ('w', '<c16')])], (2,)), ('', '|V16')]"
		name = "{'names': ['a', 'b'], 'formats': ['u1', ({'names': ['x', 'y'], 'formats': ['<u2', {'names': ['z', 'w'], 'formats': ['S1', '<c16'], " +
			"'offsets': [0, 4], 'itemsize': 20}], 'offsets': [0, 4], 'itemsize': 24}, (2,))], 'offsets': [0, 8], 'itemsize': 72}"
	}
	d := parse(t, in)
	if d.String() != str || nativeOrder == "<" && d.Name() != name {
		t.Errorf("%s = %s, %s; want %s, %s", in, d, d.Name(), str, name)
	}
	for _, s := range []string{d.String(), d.Name()} {
		if again := parse(t, s); !again.Equal(d) {
			t.Errorf("%s printed as %s is %v", in, s, again)
		}
	}
}

// The long double has another size and alignment on each machine.
func TestLongDouble(t *testing.T) {
	const in = "{'names': ['a'], 'formats': [[('b', 'u1'), ('c', '<f16')]], 'offsets': [0], 'itemsize': 64, 'aligned': True}"
	gap := 15
	switch runtime.GOARCH {
	case "386":
		gap = map[bool]int{false: 3, true: 7}[runtime.GOOS == "windows"]
	case "arm", "mips", "mipsle", "s390x":
		gap = 7
	}
	want := fmt.Sprintf("[('a', [('b', '|u1'), ('', '|V%d'), ('c', '<f16')]), ('', '|V%d')]", gap, 47-gap)
	if d := parse(t, in); d.String() != want {
		t.Errorf("%s is %s, want %s", in, d, want)
	}
	for text, name := range map[string]string{"f12": "float96", "<c24": "complex192"} {
		d, err := npy.ParseDtype(text)
		if runtime.GOARCH == "386" && runtime.GOOS != "windows" {
			if err != nil || d.Name() != name || !parse(t, name).Equal(d) {
				t.Errorf("%s is %s, %v, want %s", text, d.Name(), err, name)
			}
		} else if !errors.Is(err, npy.ErrDtype) || !strings.Contains(err.Error(), "unknown dtype '"+text+"': it is the long double of 386") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseDtypeRefuses(t *testing.T) {
	for in, text := range map[string]string{
		"": "unknown dtype ''", "f": "unknown", "f3": "unknown", "i16": "unknown", "<": "unknown", "<float64": "unknown",
		"f08": "unknown", "S-1": "unknown", "M8[]s": "unknown", "M8[s": "unknown", "f8[s]": "unknown", "\xff": "UTF-8", "M8[0s]": "unknown",
		"M8[2147483648s]": "unknown", "M8[5generic]": "unknown", "M8[s/2]": "unknown", "f10": "unknown", "b8": "unknown",
		"object": "pointers", "O": "pointers", "StringDType()": "pointers", "int": "write int64", "complex": "write complex64",
		strings.Repeat("x", 99):    "…",
		"\x1b[2J":                  `'\x1b[2J'`,
		strings.Repeat(" ", 10001): "10000 bytes",
		"[('a', 'f8')] x":          "something follows",
		"{'names': ['a']}":         "must be given",
		"{'names':['a'],'formats':['f8'],'offsets':[0]}":                                                                             "itemsize",
		"{'names':['a'],'formats':['f8'],'offsets':[0],'itemsize':7}":                                                                "beyond the record",
		"{'names':['a','b'],'formats':['f8','u1'],'offsets':[0,4],'itemsize':16}":                                                    "overlaps",
		"{'names':['a','b'],'formats':['u1','u1'],'offsets':[4,0],'itemsize':16}":                                                    "out of order",
		"{'names':['a'],'formats':['u1'],'offsets':[0],'itemsize':4294967296}":                                                       "",
		"{'names':['a'],'names':['a'],'formats':['u1'],'offsets':[0],'itemsize':1}":                                                  "twice",
		"{'names':[''],'formats':['u1'],'offsets':[0],'itemsize':1}":                                                                 "without a name",
		"{'names':['a'],'formats':['u1'],'offsets':[0],'itemsize':1,'x':1}":                                                          "no 'x'",
		"{'names':['a'],'formats':['u1'],'offsets':[0],'itemsize':1,'aligned':1}":                                                    "True or False",
		"{'names':['a'],'formats':['u1'],'offsets':[0],'itemsize':1,'titles':[]}":                                                    "title",
		"{'names':['a'],'formats':[[('b','u1'),('c','f8'),('d','V2147483637')]],'offsets':[0],'itemsize':2147483647,'aligned':True}": "an element of more",
		"{'names':['a'],'formats':[[('b','u1'),('c','f8')]],'offsets':[0],'itemsize':9,'aligned':True}":                              "beyond the record",
		"{'names':[" + strings.Repeat("'a',", 1100) + "]}":                                                                           "1024 fields",
		"{'names':[" + strings.Repeat("'a',", 3) + "],'formats':['u1'],'offsets':[0]}":                                               "must be given",
	} {
		d, err := npy.ParseDtype(in)
		if !errors.Is(err, npy.ErrDtype) || !strings.Contains(err.Error(), text) || d.Kind() != 0 {
			t.Errorf("%.80q: %v, %v; want %q", in, d, err, text)
		}
	}
}

func TestDtypeParts(t *testing.T) {
	d := parse(t, "[('a', '|u1'), ('', '|V7'), (('T', 'b'), '>f8', (2, 3)), ('c', '<M8[25s]')]")
	fields := d.Fields()
	if d.Kind() != npy.KindRecord || d.Size() != 64 || len(fields) != 3 || d.Elem().Kind() != npy.KindRecord || d.Shape() != nil {
		t.Fatal(d)
	}
	b, c := fields[1], fields[2]
	if b.Name != "b" || b.Title != "T" || b.Offset != 8 || b.Dtype.Kind() != npy.KindSubarray || !slices.Equal(b.Dtype.Shape(), []int{2, 3}) {
		t.Error(b)
	}
	if elem := b.Dtype.Elem(); elem.Kind() != npy.KindFloat || elem.Size() != 8 || elem.Fields() != nil {
		t.Error(elem)
	}
	if c.Dtype.Kind() != npy.KindDatetime || c.Dtype.Unit() != "25s" || parse(t, "M8").Unit() != "" {
		t.Error(c)
	}
	fields[0].Name, b.Dtype.Shape()[0] = "changed", 9
	if d.Fields()[0].Name != "a" || d.Fields()[1].Dtype.Shape()[0] != 2 {
		t.Error("what a Dtype returns is not a copy")
	}
	for _, other := range []string{
		"[('a', '|u1'), ('', '|V7'), ('b', '>f8', (2, 3)), ('c', '<M8[25s]')]",
		"[('a', '|u1'), ('', '|V7'), (('T', 'b'), '<f8', (2, 3)), ('c', '<M8[25s]')]",
		"[('a', '|u1'), ('', '|V7'), (('T', 'b'), '>f8', (3, 2)), ('c', '<M8[25s]')]",
		"[('a', '|u1'), ('', '|V7'), (('T', 'b'), '>f8', (2, 3)), ('c', '<M8[s]')]",
		"[('a', '|i1'), ('', '|V7'), (('T', 'b'), '>f8', (2, 3)), ('c', '<M8[25s]')]",
		"u1",
	} {
		if d.Equal(parse(t, other)) || parse(t, other).Equal(d) {
			t.Errorf("%v equals %s", d, other)
		}
	}
	var zero npy.Dtype
	if zero.String() != "" || zero.Name() != "" || zero.Kind() != 0 || zero.Swapped() || !zero.Equal(npy.Dtype{}) || zero.Fields() != nil {
		t.Error("the zero Dtype is something")
	}
	if err := zero.Swap(nil); !errors.Is(err, npy.ErrDtype) {
		t.Error(err)
	}
	if err := zero.Check(d); !errors.Is(err, npy.ErrDtype) {
		t.Error(err)
	}
}
