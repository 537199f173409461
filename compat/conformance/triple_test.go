package conformance

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A triple is the bytes of a list [1, item, 'z']. Its methods are about the item
// in the middle, and know the layouts by themselves:
//
//	count  table  1  item  'z'  formats  codes
//	8      24/32  8  …     8    24       3      bytes
type triple []byte

// tripleOf is the triple that the peer's Python makes.
func tripleOf(t testing.TB, p *compat.Peer, item any) triple {
	t.Helper()
	return cpythonBytes(t, p, int64(1), item, "z")
}

func (l triple) slot() []byte {
	table := 3 * 8
	if binary.NativeEndian.Uint64(l[8:]) == 0 { // an offset, not a size
		table += 8
	}
	return l[8+table+8 : len(l)-3-3*8-8]
}

func (l triple) format() []byte { return l[len(l)-3-2*8:][:8] }
func (l triple) code() *byte    { return &l[len(l)-2] }

// set does the same as sl[1] = v, in memory of our own. A number covers the first 8 bytes
// of the slot and leaves the others. Text covers the whole slot.
func (l triple) set(v any) triple {
	l = bytes.Clone(l)
	slot := l.slot()
	if text, ok := textOf(v); ok {
		clear(slot[copy(slot, text):])
	} else {
		copy(slot, wordOf(v))
	}
	kind, code := kindOf(v)
	return l.setHeader(structFormat(kind, len(slot)), code)
}

// setHeader changes the format and the code alone.
func (l triple) setHeader(format string, code int8) triple {
	l = bytes.Clone(l)
	clear(l.format()[copy(l.format(), format):])
	*l.code() = byte(code)
	return l
}

// A tripleList is a triple in a segment that Go and Python have open.
type tripleList struct {
	peer   *compat.Peer
	python *compat.List
	ours   *pyshm.ShareableList
}

// pythonTriple lets Python make a tripleList, goTriple lets Go.
func pythonTriple(t testing.TB, p *compat.Peer, item any) tripleList {
	t.Helper()
	python := must(p.CreateList(newName(t), []any{1, item, "z"}))(t)
	t.Cleanup(func() { check(t, python.Unlink()) })
	return tripleList{p, python, attachList(t, python.Name())}
}

func goTriple(t testing.TB, p *compat.Peer, item any) tripleList {
	t.Helper()
	ours := createList(t, p, 1, item, "z")
	python := must(p.AttachList(ours.Name()))(t)
	t.Cleanup(func() { check(t, python.Unlink()) })
	return tripleList{p, python, ours}
}

// content returns the bytes of the segment.
func (l tripleList) content(t testing.TB) triple {
	t.Helper()
	content := fileBytes(t, l.ours.Name())
	if testkit.WholePages {
		return tripleIn(content)
	}
	return content
}

// tripleIn returns the triple with which memory begins.
func tripleIn(memory []byte) triple {
	word := func(i int) int { return int(binary.NativeEndian.Uint64(memory[8*i:])) }
	table, data := 3, word(1)+word(2)+word(3) // sizes
	if word(1) == 0 {
		table, data = 4, word(4) // offsets
	}
	return memory[:8*(1+table)+data+3*8+3]
}

// become overwrites the segment.
func (l tripleList) become(t testing.TB, content triple) {
	t.Helper()
	must(l.ours.SharedMemory().WriteAt(content, 0))(t)
}

// pythonReads and goReads return the item in the middle, or the reason why it cannot be
// read.
func (l tripleList) pythonReads(t testing.TB) any {
	t.Helper()
	return outcome(l.python.Get(1))(t)
}

func (l tripleList) goReads() any {
	v, err := l.ours.Get(1)
	if err != nil {
		return reason(err)
	}
	return v
}
