package format_test

import (
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

func BenchmarkInt(b *testing.B) {
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		b.Run(layout.String(), func(b *testing.B) {
			l := attach(b, encode(b, layout, 1, 2, 3))
			for b.Loop() {
				if _, err := l.Int(1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSetInt(b *testing.B) {
	l := newList(b, 1, 2, 3)
	for b.Loop() {
		if err := l.SetInt(1, 5); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddInt(b *testing.B) {
	l := newList(b, 1, 2, 3)
	for b.Loop() {
		if _, err := l.AddInt(1, 1); err != nil {
			b.Fatal(err)
		}
	}
}

var sink any // keeps results alive

func BenchmarkGet(b *testing.B) {
	l := newList(b, 1000, "a string of 24 characters")
	for i, name := range []string{"int", "str"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v, err := l.Get(i)
				if err != nil {
					b.Fatal(err)
				}
				sink = v
			}
		})
	}
}

const benchText = "a string of 24 character"

func BenchmarkStr(b *testing.B) {
	l := newList(b, benchText)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Str(0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendStr(b *testing.B) {
	l := newList(b, benchText)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = l.AppendStr(dst[:0], 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSetStr(b *testing.B) {
	l := newList(b, benchText)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.SetStr(0, benchText); err != nil {
			b.Fatal(err)
		}
	}
}

// hundredThousand returns as many ints, boxed and not.
func hundredThousand() ([]any, []int64) {
	boxed, ints := make([]any, 100_000), make([]int64, 100_000)
	for i := range boxed {
		boxed[i], ints[i] = int64(i)*1000, int64(i)*1000
	}
	return boxed, ints
}

func BenchmarkEncode(b *testing.B) {
	boxed, ints := hundredThousand()
	strs := make([]any, len(boxed))
	for i := range strs {
		strs[i] = fmt.Sprint("item number ", i)
	}
	for _, bench := range []struct {
		name   string
		encode func() (int, error)
	}{
		{"1e5 any", func() (int, error) { buf, err := format.Encode(boxed, nil); return len(buf), err }},
		{"1e5 int64", func() (int, error) {
			e, err := format.NewEncoderOf(ints, nil)
			if err != nil {
				return 0, err
			}
			n, err := e.WriteTo(discard{})
			return int(n), err
		}},
		{"1e5 str", func() (int, error) { buf, err := format.Encode(strs, nil); return len(buf), err }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, err := bench.encode()
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(n))
			}
		})
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkValues(b *testing.B) {
	boxed, _ := hundredThousand()
	l := newList(b, boxed...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Values(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCopyInts(b *testing.B) {
	boxed, ints := hundredThousand()
	l := newList(b, boxed...)
	for b.Loop() {
		if _, err := l.CopyInts(ints, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	boxed, _ := hundredThousand()
	l := newList(b, boxed...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Count(5000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAttach(b *testing.B) {
	boxed, _ := hundredThousand()
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		b.Run("1e5 "+layout.String(), func(b *testing.B) {
			buf := encode(b, layout, boxed...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := format.Attach(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSearch(b *testing.B) {
	ints, _ := hundredThousand()
	strs := make([]any, len(ints))
	for i := range strs {
		strs[i] = fmt.Sprint("item number ", i)
	}
	for _, bench := range []struct {
		name    string
		items   []any
		missing any
	}{
		{"int", ints, 5},
		{"str", strs, "item number -5"},
		{"int among str", strs, 5},
	} {
		l := newList(b, bench.items...)
		b.Run("Index "+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if i, err := l.Index(bench.items[len(bench.items)-1]); err != nil || i != len(bench.items)-1 {
					b.Fatal(i, err)
				}
			}
		})
		b.Run("Count "+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := l.Count(bench.missing); err != nil || n != 0 {
					b.Fatal(n, err)
				}
			}
		})
	}
}
