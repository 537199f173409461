package format_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// Fuzzing puts arbitrary bytes between inaccessible pages and calls everything
// that reads or writes them. A target fails on a panic or a fault. It also fails if a
// call allocates more than the buffer justifies, if a refused write changes a byte, or
// if an accepted write changes a byte of another item.
//
//	go test ./format -run '^$' -fuzz FuzzAttachRead -fuzztime 1000000x -fuzzminimizetime 1x

// room is the greatest length of a buffer under test.
const room = 4 << 10

// FuzzDecode reads the same bytes at every alignment, at both ends of the room,
// and compares with the oracle.
func FuzzDecode(f *testing.F) {
	addLists(f, func(b []byte) { f.Add(b) })
	fence := newFence(f, room)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), room-8)]
		want, wantOK := oracle(align(data))
		for shift := range 8 {
			for _, buf := range [][]byte{fence.atStart(data, shift), fence.atEnd(data, shift)} {
				fence.guard(func() {
					got, err := format.Decode(buf)
					if (err == nil) != wantOK || !same(got, want) && wantOK {
						t.Errorf("at %d: Decode = %s, %v; the oracle says %s, %v", shift, format.Repr(got), err, format.Repr(want), wantOK)
					}
				})
			}
		}
		buf := fence.atStart(data, 1)
		checkAllocation(t, "Decode", 8*len(data), func() { sink, _ = format.Decode(buf) })
	})
}

// FuzzAttachRead calls every method that reads, for every item, and measures how much
// one of the methods allocates.
func FuzzAttachRead(f *testing.F) {
	seeds := 0
	addLists(f, func(b []byte) {
		f.Add(b, byte(seeds), byte(seeds), byte(seeds/2))
		seeds++
	})
	fence := newFence(f, room)
	f.Fuzz(func(t *testing.T, data []byte, place, method, item byte) {
		buf, _ := alignedInside(fence, data, place)
		fence.guard(func() { readEverything(t, buf, int(method), int(item)) })
	})
}

// alignedInside returns a copy of data and where in the room the copy begins. The copy
// lies at one end of the room, as near as its alignment allows, or it is cut to end
// with the room.
func alignedInside(f *fence, data []byte, place byte) (buf []byte, start int) {
	data = data[:min(len(data), room)]
	end := len(f.inside())
	switch place % 3 {
	case 0:
		return f.atStart(data, 0), 0
	case 1:
		gap := (end - len(data)) % 8
		return f.atEnd(data, gap), end - len(data) - gap
	default:
		data = data[:len(data)&^7]
		return f.atEnd(data, 0), end - len(data)
	}
}

// A reader is a method under test, with arguments for it.
type reader struct {
	name string
	call func(l *format.List, i int)
}

var itemReaders = []reader{
	{"Get", func(l *format.List, i int) { _, _ = l.Get(i) }},
	{"Int", func(l *format.List, i int) { _, _ = l.Int(i) }},
	{"Float", func(l *format.List, i int) { _, _ = l.Float(i) }},
	{"Bool", func(l *format.List, i int) { _, _ = l.Bool(i) }},
	{"Str", func(l *format.List, i int) { _, _ = l.Str(i) }},
	{"AppendStr", func(l *format.List, i int) { _, _ = l.AppendStr(nil, i) }},
	{"Bytes", func(l *format.List, i int) { _, _ = l.Bytes(i) }},
	{"RawBytes", func(l *format.List, i int) { _, _ = l.RawBytes(i) }},
	{"Slot", func(l *format.List, i int) { _, _ = l.Slot(i) }},
	{"CopyInts", func(l *format.List, i int) { var dst [4]int64; _, _ = l.CopyInts(dst[:], i) }},
	{"CopyFloats", func(l *format.List, i int) { var dst [4]float64; _, _ = l.CopyFloats(dst[:], i) }},
}

var listReaders = []reader{
	{"Format", func(l *format.List, _ int) { _ = l.Format() }},
	{"Check", func(l *format.List, _ int) { _ = l.Check() }},
	{"Values", func(l *format.List, _ int) { _, _ = l.Values() }},
	{"All", func(l *format.List, _ int) {
		for range l.All() {
		}
	}},
	{"Index int", func(l *format.List, _ int) { _, _ = l.Index(5) }},
	{"Index str", func(l *format.List, _ int) { _, _ = l.Index("a") }},
	{"Count float", func(l *format.List, _ int) { _, _ = l.Count(1.5) }},
	{"Count bytes", func(l *format.List, _ int) { _, _ = l.Count([]byte("a")) }},
	{"Count None", func(l *format.List, _ int) { _, _ = l.Count(nil) }},
}

func readEverything(t *testing.T, buf []byte, method, item int) {
	before := string(buf)
	want, wantOK := oracle(buf)
	l, err := format.AttachPatiently(buf, 0)
	if err != nil {
		testkit.CheckPrintable(t, err)
		if wantOK {
			t.Errorf("Attach: %v, but the oracle reads %s", err, format.Repr(want))
		}
		if !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrIncomplete) {
			t.Errorf("Attach: %v", err)
		}
		checkAllocation(t, "Attach", 8*len(buf), func() { _, _ = format.AttachPatiently(buf, 0) })
		return
	}
	compareAttachMapped(t, buf)

	for _, r := range listReaders {
		r.call(l, 0)
	}
	for _, r := range itemReaders {
		for i := -1; i <= l.Len(); i++ {
			r.call(l, i)
		}
	}
	got, err := l.Values()
	if (err == nil) != wantOK || !same(got, want) && wantOK {
		t.Errorf("Values = %s, %v; the oracle says %s, %v", format.Repr(got), err, format.Repr(want), wantOK)
	}
	if err == nil {
		if err := l.Check(); err != nil {
			t.Errorf("Values reads everything, but Check says %v", err)
		}
		checkRoundTrip(t, l, got)
	}
	if before != string(buf) {
		t.Error("reading has changed the buffer")
	}

	readers := slices.Concat(itemReaders, listReaders)
	r := readers[method%len(readers)]
	i := item % (l.Len() + 1)
	checkAllocation(t, r.name, 8*len(buf), func() { r.call(l, i) })
}

// checkRoundTrip encodes the values that were read, and checks that they decode to the
// same values again. Encode can only refuse a value from a slot filled to its last byte.
func checkRoundTrip(t *testing.T, l *format.List, values []any) {
	buf, err := format.Encode(values, &format.Options{Layout: l.Layout()})
	if err != nil {
		t.Errorf("Encode of what was read: %v", err)
		return
	}
	again, err := format.Decode(buf)
	if err != nil || !same(again, values) {
		t.Errorf("after Encode: %s, %v; before: %s", format.Repr(again), err, format.Repr(values))
	}
}

// A writer is a write under test. want is the value that the item has afterwards, or
// nil for a writer that is judged only by the bytes it changes.
type writer struct {
	name string
	call func(l *format.List, i int) error
	want any
}

// errNotSwapped makes a CompareAndSwapInt that does nothing count as a refusal.
var errNotSwapped = errors.New("not swapped")

func setter(v any) writer {
	return writer{"Set " + format.Repr(v), func(l *format.List, i int) error { return l.Set(i, v) }, v}
}

var writers = []writer{
	setter(int64(-5)), setter(0), setter(2.5), setter(math.Inf(-1)), setter(true), setter(false),
	setter(""), setter("ab"), setter("ABCDEFGH"), setter("€€€"), setter("a text of 24 characters "), setter("\x00a"),
	setter([]byte{}), setter([]byte{0, 0xff}), setter(bytes.Repeat([]byte("x"), 40)),
	setter("ab\x00"), setter("\xff"), setter(uint64(math.MaxUint64)), setter(complex(1, 1)),
	{"Set None", func(l *format.List, i int) error { return l.Set(i, nil) }, nil},
	{"SetInt", func(l *format.List, i int) error { return l.SetInt(i, 7) }, 7},
	{"SetFloat", func(l *format.List, i int) error { return l.SetFloat(i, 7.5) }, 7.5},
	{"SetBool", func(l *format.List, i int) error { return l.SetBool(i, true) }, true},
	{"SetStr", func(l *format.List, i int) error { return l.SetStr(i, "é") }, "é"},
	{"SetBytes", func(l *format.List, i int) error { return l.SetBytes(i, []byte("b")) }, []byte("b")},
	{"SetNone", func(l *format.List, i int) error { return l.SetNone(i) }, nil},
	{"AddInt 1", func(l *format.List, i int) error { return second(l.AddInt(i, 1)) }, nil},
	{"AddInt MaxInt64", func(l *format.List, i int) error { return second(l.AddInt(i, math.MaxInt64)) }, nil},
	{"CompareAndSwapInt", func(l *format.List, i int) error {
		if swapped, err := l.CompareAndSwapInt(i, -5, 5); err != nil || swapped {
			return err
		}
		return errNotSwapped
	}, 5},
}

// FuzzAttachWrite carries out the writes in script: pairs of a writer and an item.
func FuzzAttachWrite(f *testing.F) {
	seeds := 0
	addLists(f, func(b []byte) {
		var script []byte
		for i := range writers {
			script = append(script, byte(i), byte(i/2))
		}
		f.Add(b, byte(seeds), script)
		seeds++
	})
	fence := newFence(f, room)
	f.Fuzz(func(t *testing.T, data []byte, place byte, script []byte) {
		buf, start := alignedInside(fence, data, place)
		fence.guard(func() { writeScript(t, buf, fence.inside(), start, script) })
	})
}

// writeScript carries out script on buf, which begins at start in the bytes around it.
func writeScript(t *testing.T, buf, around []byte, start int, script []byte) {
	l, err := format.AttachPatiently(buf, 0)
	if err != nil {
		return
	}
	for ; len(script) >= 2; script = script[2:] {
		w := writers[int(script[0])%len(writers)]
		i := int(script[1]) % (l.Len() + 1)
		before := bytes.Clone(around)
		err := w.call(l, i)
		if err == nil {
			checkWritten(t, w, l, i)
			forgetItem(before[start:], buf, l, i)
		}
		if !bytes.Equal(before, around) {
			t.Errorf("%s of item %d (%v) has changed bytes that are not the item's", w.name, i, err)
		}
		if len(script) < 4 {
			checkAllocation(t, w.name, 8*len(buf), func() { _ = w.call(l, i) })
		}
	}
}

func checkWritten(t *testing.T, w writer, l *format.List, i int) {
	v, err := l.Get(i)
	if err != nil || w.want != nil && !format.Equal(v, w.want) {
		t.Errorf("after %s item %d reads %v, %v", w.name, i, v, err)
	}
}

// forgetItem copies the current bytes of item i into before: its slot, its format word
// and its code.
func forgetItem(before, buf []byte, l *format.List, i int) {
	slot, err := l.Slot(i)
	if err != nil {
		return
	}
	p := areasOf(buf, l.Layout())
	copy(before[slot.Offset:slot.Offset+slot.Capacity], buf[slot.Offset:])
	copy(before[p.formats+8*i:p.formats+8*i+8], buf[p.formats+8*i:])
	before[p.codes+i] = buf[p.codes+i]
}

// FuzzParseRepr parses arbitrary text. For every accepted text, Repr prints a text that
// means the same.
func FuzzParseRepr(f *testing.F) {
	for _, tt := range reprs {
		f.Add(tt.repr)
	}
	for _, src := range []string{" [ 1 , 'a' , ] ", `"\u20ac\U0001F600\x41"`, "-1e999", `b'\xff\n'`, "[[1]]", "1_0", `'\ud800'`, "['',b'',\"\"]"} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		src = src[:min(len(src), room)]
		v, err := format.ParseRepr(src)
		if err != nil {
			if !errors.Is(err, format.ErrSyntax) && !errors.Is(err, format.ErrRange) {
				t.Errorf("ParseRepr(%q): %v", src, err)
			}
			testkit.CheckPrintable(t, err)
		} else {
			repr := format.Repr(v)
			again, err := format.ParseRepr(repr)
			if err != nil || !same([]any{again}, []any{v}) || format.Repr(again) != repr {
				t.Errorf("ParseRepr(%q) = %s, and that is parsed as %s, %v", src, repr, format.Repr(again), err)
			}
		}
		checkAllocation(t, "ParseRepr", 8*len(src), func() { sink, _ = format.ParseRepr(src) })
	})
}

// checkAllocation fails if call allocates more than limit and 4 KiB.
func checkAllocation(t *testing.T, name string, limit int, call func()) {
	limit += 4 << 10
	if least := alloctest.Least(uint64(limit), call); least > uint64(limit) {
		t.Errorf("%s allocates %d bytes, more than %d", name, least, limit)
	}
}

// addLists adds lists of both layouts, whole and damaged, and lists that real Pythons
// wrote.
func addLists(f *testing.F, add func(b []byte)) {
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		for _, values := range [][]any{
			{}, {1}, {"a"}, {nil}, {math.NaN()}, everyKind(), {"", "", ""}, {1, 2, 3, 4},
			{format.Sized{Value: "room", Capacity: 200}, []byte{0xff}, true},
			slices.Repeat([]any{5}, 72), slices.Repeat([]any{1.5}, 72), slices.Repeat([]any{"a"}, 72),
			slices.Repeat([]any{[]byte("a"), []byte("a longer one")}, 20), // read in runs
		} {
			add(encode(f, layout, values...))
		}
		for _, header := range []struct {
			word string
			code int8
		}{{"", 0}, {" ", 1}, {"5s", 1}, {"0s", 2}, {"q", 1}, {"8s", 3}, {"z", 0}, {"9999992s", 1}} {
			buf := encode(f, layout, "first", "second", 3)
			setHeader(buf, layout, 1, header.word, header.code)
			add(buf)
		}
		for off := 0; off < 32; off += 8 {
			for _, v := range []int64{-8, 0, 8, 24, math.MaxInt64 &^ 7} {
				buf := encode(f, layout, "first", "second", 3)
				putWord(buf, off, v)
				add(append(buf, make([]byte, 16)...))
			}
		}
	}
	files, err := filepath.Glob("../testdata/cpython-*/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatal("no fixtures: ", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) <= room {
			add(b)
		}
	}
}
