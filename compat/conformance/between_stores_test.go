package conformance

import (
	"encoding/binary"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
)

// A tornRow has the values that are read of an item while Python sets it to another, in
// a slot of 24 bytes. Python writes first the format, then the code, then the data.
type tornRow struct {
	from, to any
	format   any // the value that Python reads when the format is written,
	code     any // and when the code is written, too
}

// rest has the bytes that a longer str has left behind a number.
const rest = "ooooooooooooooo"

var tornRows = []tornRow{
	{int64(65), 1.5, floatOf(65), floatOf(65)},
	{int64(65), true, boolIn(native(65)), boolIn(native(65))},
	{int64(0x4100_0000_0000_0041), true, true, true}, // byte 7 is 0x41 in either byte order
	{int64(65), nil, false, nil},
	{int64(65), "ab", []byte(native(65) + rest + "\x00"), native(65) + rest},
	{int64(65), []byte("ab"), []byte(native(65) + rest + "\x00"), []byte(native(65) + rest)},
	{2.5, int64(5), int64(0x4004_0000_0000_0000), int64(0x4004_0000_0000_0000)},
	{2.5, "ab", []byte(wordOf(2.5) + rest + "\x00"), wordOf(2.5) + rest},
	{true, int64(5), intIn(wordOf(true)), intIn(wordOf(true))},
	{true, 1.5, floatIn(wordOf(true)), floatIn(wordOf(true))},
	{true, "ab", []byte(wordOf(true) + rest + "\x00"), wordOf(true) + rest},
	{nil, int64(5), nil, int64(0)},
	{nil, 1.5, nil, 0.0},
	{nil, true, nil, false},
	{nil, "ab", nil, native(0) + rest},
	{nil, []byte("ab"), nil, []byte(native(0) + rest)},
	{"ab", int64(5), raised("AttributeError"), intIn("ab\x00\x00\x00\x00\x00\x00")},
	{"ab", 1.5, raised("AttributeError"), floatIn("ab\x00\x00\x00\x00\x00\x00")},
	{"ab", true, raised("AttributeError"), false},
	{"ab", nil, raised("AttributeError"), nil},
	{"ab", []byte("cd"), "ab", []byte("ab")},
	{[]byte("ab"), "cd", []byte("ab"), "ab"},
	{[]byte("\xff\xfe"), "cd", []byte("\xff\xfe"), raised("UnicodeDecodeError")},
}

// testTorn shows every state between two stores. If the code does not belong to the
// format, Go returns ErrBusy. Between int, float and bool, and once the code is written,
// nothing shows the change, and Go reads the same as Python.
func testTorn(t *testing.T, p *compat.Peer) {
	l := pythonTriple(t, p, times(23, "o"))
	long := l.content(t)
	for _, row := range tornRows {
		t.Run(format.Repr(row.from)+"="+format.Repr(row.to), func(t *testing.T) {
			old := long.set(row.from)
			_, oldCode := kindOf(row.from)
			kind, code := kindOf(row.to)
			word := structFormat(kind, len(old.slot()))

			busy := row.format
			if string(old.format()) != string(old.set(row.to).format()) && code != oldCode {
				busy = format.ErrBusy
			}
			for _, state := range []struct {
				name         string
				content      triple
				python, ours any
			}{
				{"format cleared", old.setHeader("", oldCode), raised("ValueError"), format.ErrBusy},
				{"format written", old.setHeader(word, oldCode), row.format, busy},
				{"code written", old.setHeader(word, code), row.code, inGo(row.code)},
			} {
				l.become(t, state.content)
				if got := l.pythonReads(t); !identical(got, state.python) {
					t.Errorf("%s: Python reads %#v, want %#v", state.name, got, state.python)
				}
				if got := l.goReads(); !identical(got, state.ours) {
					t.Errorf("%s: Go reads %#v, want %#v", state.name, got, state.ours)
				}
			}
		})
	}
}

// Go's own Set has one state between its stores: a blank format, in which neither side
// reads anything. If the format stays blank, because the writer has died, either side
// can set the item again.
func testTornByGo(t *testing.T, p *compat.Peer) {
	l := goTriple(t, p, times(23, "o"))
	long := l.content(t)
	for _, row := range tornRows {
		t.Run(format.Repr(row.from)+"="+format.Repr(row.to), func(t *testing.T) {
			for _, content := range []triple{long.set(row.from), long.set(row.to)} {
				l.become(t, content.setHeader(" ", int8(*content.code())))
				if got := l.pythonReads(t); got != raised("ValueError") {
					t.Errorf("Python reads %#v", got)
				}
				if got := l.goReads(); got != format.ErrBusy {
					t.Errorf("Go reads %#v", got)
				}
				check(t, l.python.Set(1, row.to))
				if got := l.goReads(); !identical(got, row.to) {
					t.Errorf("Python has set it, Go reads %#v", got)
				}
			}
		})
	}
}

func intIn(word string) int64     { return int64(binary.NativeEndian.Uint64([]byte(word))) }
func boolIn(word string) bool     { return word[7] != 0 }
func floatIn(word string) float64 { return floatOf(uint64(intIn(word))) }

// Go sets a number over a number of the same kind in a single store: a Python of 64 bits that
// reads meanwhile sees the one or the other.
func testNumbersWhole(t *testing.T, p *compat.Peer) {
	check(t, p.Exec("def seen(sl, reads): return list({sl[1] for _ in range(reads)})"))
	type row struct{ a, b any }
	rows := []row{{false, true}}
	if must(p.Eval("sys.maxsize > 1 << 32"))(t).(bool) { // otherwise Python takes two loads
		rows = append(rows,
			row{int64(0x1111_1111_1111_1111), int64(-0x2222_2222_2222_2222)},
			row{floatOf(0x1111_1111_1111_1111), floatOf(0xeeee_eeee_eeee_eeee)})
	}
	for _, row := range rows {
		l := goTriple(t, p, row.a)
		type result struct {
			seen any
			err  error
		}
		done := make(chan result, 1)
		go func() {
			seen, err := p.Eval("seen(" + l.python.Var() + ", 10000)")
			done <- result{seen, err}
		}()
		for reading := true; reading; {
			check(t, l.ours.Set(1, row.b))
			check(t, l.ours.Set(1, row.a))
			select {
			case r := <-done:
				reading = false
				for _, v := range must(r.seen, r.err)(t).([]any) {
					if !identical(v, row.a) && !identical(v, row.b) {
						t.Errorf("Python has seen %v between %v and %v", v, row.a, row.b)
					}
				}
			default:
			}
		}
	}
}
