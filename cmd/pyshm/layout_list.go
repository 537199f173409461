package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/pyshm-go/pyshm/format"
)

// A listPlan describes the bytes of a list. format/LAYOUT.md has the layout. All numbers
// are read once: other processes may change the bytes meanwhile.
type listPlan struct {
	b       []byte
	list    *format.List // nil if the bytes are no list
	layout  format.Layout
	n       int // items, 0 if the count cannot be right
	data    int // where the data area begins, and the areas behind it
	formats int
	codes   int
	end     int
	faults  []string
}

// maxFaults is how many faults are listed. A sparse segment can have any number.
const maxFaults = 20

// wordAt returns the word at an offset within b.
func wordAt(b []byte, at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }

// looksLikeList reports whether the first words could begin a list with items, or
// the bytes are an empty list. The rest may be damaged.
func looksLikeList(b []byte) bool {
	if len(b) < 33 || wordAt(b, 0) == 0 || wordAt(b, 0) > uint64(len(b)-8)/25 {
		_, err := format.AttachReadOnly(b)
		return err == nil
	}
	size := wordAt(b, 8) // of the first slot in Sizes
	if size == 0 {
		size = wordAt(b, 16)
	}
	return size%8 == 0 && size > 0 && size < uint64(len(b))
}

func describeList(b []byte) *plan {
	l := &listPlan{b: b}
	list, err := format.AttachReadOnly(b)
	if err == nil {
		l.list = list
	} else {
		l.faults = append(l.faults, reason(err).Error())
	}
	l.findAreas()
	l.findFaults()
	layout, damaged := layoutName(l.layout), ""
	if l.layout == format.Offsets {
		layout += " and later"
	}
	if len(l.faults) > 0 {
		damaged = ", damaged"
	}
	return &plan{title: fmt.Sprintf("list of %s, %d bytes, layout of CPython %s%s", plural(l.n, "item"), len(b), layout, damaged),
		each: l.regions, faults: l.faults}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// findAreas finds the areas as far as the count and the table let it. An area that cannot be
// found ends where the bytes end.
func (l *listPlan) findAreas() {
	size := len(l.b)
	l.data, l.formats, l.codes, l.end = min(8, size), size, size, size
	if l.list != nil {
		l.layout = l.list.Layout()
	} else if size >= 16 && wordAt(l.b, 8) != 0 {
		l.layout = format.Sizes
	}
	if size >= 8 && wordAt(l.b, 0) <= uint64(size)/8 {
		l.n = int(wordAt(l.b, 0))
	}
	if l.list != nil {
		l.n = l.list.Len()
	}
	entries := l.entries()
	l.data = min(8+8*entries, size)
	if l.list == nil && (l.n == 0 || 8+8*entries > size) {
		l.n = 0
		return
	}
	sum := uint64(0)
	for i := range entries {
		entry := wordAt(l.b, 8+8*i)
		if l.layout == format.Sizes {
			entry += sum
		}
		if entry > uint64(size-l.data) {
			return
		}
		sum = entry
	}
	l.formats = l.data + int(sum)
	l.codes = min(l.formats+8*l.n, size)
	l.end = min(l.codes+l.n, size)
}

// entries returns how many words the table has.
func (l *listPlan) entries() int {
	if l.layout == format.Offsets {
		return l.n + 1
	}
	return l.n
}

func (l *listPlan) findFaults() {
	if l.list == nil {
		return
	}
	for i := range l.n {
		if len(l.faults) == maxFaults {
			l.faults = append(l.faults, fmt.Sprintf("items behind %d were not looked at", i-1))
			return
		}
		slot, err := l.list.Slot(i)
		if err == nil && slot.Kind == format.Str {
			_, err = l.list.Get(i)
			if err != nil {
				err = fmt.Errorf("slot at offset %d: %w", slot.Offset, reason(err))
			}
		}
		if err != nil {
			l.faults = append(l.faults, fmt.Sprintf("item %d: %v", i, reason(err)))
		}
	}
	if err := l.list.Check(); err != nil && len(l.faults) == 0 {
		l.faults = append(l.faults, reason(err).Error())
	}
}

func (l *listPlan) regions(limit int, yield func(region)) {
	size := len(l.b)
	if size >= 8 {
		yield(region{0, 8, roleHead, fmt.Sprintf("count: %d", int64(wordAt(l.b, 0)))})
	} else {
		yield(region{0, size, roleNone, "too short for a count"})
	}
	some := min(l.n, limit)
	entries := (l.data - min(8, size)) / 8
	for i := range min(entries, some+1) {
		yield(region{8 + 8*i, 16 + 8*i, roleTable, fmt.Sprintf("table[%d]: %d", i, int64(wordAt(l.b, 8+8*i)))})
	}
	if at := 8 + 8*min(entries, some+1); at < l.data {
		yield(region{at, l.data, roleTable, "the rest of the table"})
	}
	if l.formats == size && l.codes == size { // where the areas begin cannot be found
		yield(region{l.data, size, roleNone, "cannot be told apart"})
		return
	}
	l.slots(some, yield)
	for i := range some {
		if at := l.formats + 8*i; at+8 <= size {
			yield(region{at, at + 8, roleFormat, fmt.Sprintf("format of item %d: %q", i, formatWord(l.b[at:at+8]))})
		}
	}
	if at := l.formats + 8*some; at < l.codes {
		yield(region{at, l.codes, roleFormat, "further formats"})
	}
	for i := 0; i < some && l.codes+i < l.end; i += 8 {
		last := min(i+8, some, l.end-l.codes)
		note := fmt.Sprintf("codes of items %d to %d", i, last-1)
		if last == i+1 {
			note = fmt.Sprintf("code of item %d", i)
		}
		yield(region{l.codes + i, l.codes + last, roleCode, note})
	}
	if at := l.codes + some; at < l.end {
		yield(region{at, l.end, roleCode, "further codes"})
	}
	if l.end < size {
		yield(region{l.end, size, roleLeftover, "behind the list"})
	}
}

func formatWord(word []byte) string { return strings.TrimRight(string(word), "\x00") }

// slots yields the slots in the data area. Where slots leave a gap, or overlap, it says
// so: each byte is in one region.
func (l *listPlan) slots(some int, yield func(region)) {
	at, size := l.data, l.formats-l.data
	end := uint64(0)
	for i := range some {
		start := end
		if l.layout == format.Offsets {
			start, end = wordAt(l.b, 8+8*i), wordAt(l.b, 16+8*i)
		} else {
			end += wordAt(l.b, 8+8*i)
		}
		if start >= end || end > uint64(size) || l.data+int(start) < at {
			continue // the faults name it
		}
		if gap := l.data + int(start); gap > at {
			yield(region{at, gap, roleLeftover, "in no slot"})
		}
		at = l.data + int(end)
		l.slot(i, l.data+int(start), at, yield)
	}
	if at < l.formats {
		note := "in no slot"
		if some < l.n {
			note = "further slots"
		}
		yield(region{at, l.formats, roleNone, note})
	}
}

// slot yields the parts of a slot: the value and the bytes behind it.
func (l *listPlan) slot(i, start, end int, yield func(region)) {
	used, note := l.value(i, end-start)
	role := roleValue
	if used == 0 {
		role, used = roleNone, end-start
	}
	note = fmt.Sprintf("slot %d: %s", i, note)
	before := 0
	if strings.Contains(note, " bool ") { // 7 bytes that readers ignore, and the value
		before = 7
	}
	if before > 0 {
		yield(region{start, start + before, rolePadding, fmt.Sprintf("padding of slot %d", i)})
	}
	yield(region{start + before, start + used, role, note})
	if rest := start + used; rest < end {
		role, note := rolePadding, fmt.Sprintf("padding of slot %d", i)
		for _, c := range l.b[rest:end] {
			if c != 0 {
				role, note = roleLeftover, fmt.Sprintf("leftovers in slot %d", i)
				break
			}
		}
		yield(region{rest, end, role, note})
	}
}

// value returns how many bytes of a slot the value takes, and what the item is. It takes
// 0 bytes if the item cannot be read.
func (l *listPlan) value(i, size int) (used int, note string) {
	if l.list == nil {
		return 0, "not readable"
	}
	slot, err := l.list.Slot(i)
	var v any
	if err == nil {
		v, err = l.list.Get(i)
	}
	if err != nil {
		var corrupt *format.CorruptError
		if errors.As(err, &corrupt) {
			return 0, excerpt(corrupt.Reason)
		}
		return 0, reason(err).Error()
	}
	used = min(8, size)
	switch v := v.(type) {
	case string:
		used = len(v)
	case []byte:
		used = len(v)
	}
	note = fmt.Sprintf("%v %q, code %d: %s", slot.Kind, slot.Format, slot.Code, excerpt(format.Repr(v)))
	if used == 0 { // an empty text has no bytes: show it on the padding
		return size, note
	}
	return min(used, size), note
}
