package format

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pyshm-go/pyshm/internal/words"
)

// Set stores v in item i, which takes on the kind of v. The package's table lists the
// types that it accepts. A str or bytes longer than the slot (see [List.Slot]) is
// refused with [ErrTooLong], and one longer than [MaxText] with [ErrTooLarge]. A
// refused Set leaves the item unchanged.
//
// A number, bool or None over one of the same kind is a single store. A Python of 32 bits
// reads a number in two loads, and may see half of it. Any other Set takes several stores,
// and readers without a lock get [ErrBusy] in the meantime.
// If the process dies half-way, readers get ErrBusy until the next Set.
func (l *List) Set(i int, v any) error {
	it, err := itemOf(v)
	if err == nil {
		err = l.put(i, it)
	}
	return itemErr("set", i, err)
}

// SetInt is [List.Set] for an int.
func (l *List) SetInt(i int, v int64) error { return l.setNumber(i, formatInt, uint64(v)) }

// SetFloat is [List.Set] for a float.
func (l *List) SetFloat(i int, v float64) error {
	return l.setNumber(i, formatFloat, math.Float64bits(v))
}

// SetBool is [List.Set] for a bool.
func (l *List) SetBool(i int, v bool) error { return l.setNumber(i, formatBool, boolItem(v).bits) }

// setNumber stores a number or bool in item i. It is put for the usual case, in which the
// item has the same format already. Otherwise it leaves the work to put.
//
//go:noinline
func (l *List) setNumber(i int, format, bits uint64) error {
	if uint(i) < uint(len(l.formats)) && !l.readOnly {
		start, _, ok := l.slot(i)
		if ok && words.Load64(&l.formats[i]) == format && l.codes[i] == codeNumber {
			words.StoreLast64(&l.data[start], bits)
			return nil
		}
	}
	return l.putNumber(i, format, bits)
}

func (l *List) putNumber(i int, format, bits uint64) error {
	k, _, _ := classify(format, codeNumber, wordSize)
	return itemErr("set", i, l.put(i, item{kind: k, bits: bits}))
}

// SetStr is [List.Set] for a str.
func (l *List) SetStr(i int, v string) error { return l.setText(i, Str, strItem(v).text) }

// SetBytes is [List.Set] for a bytes.
func (l *List) SetBytes(i int, v []byte) error { return l.setText(i, Bytes, v) }

// setText stores a str or bytes in item i. It is put for the usual case of text that fits a
// small slot, and leaves the work to put otherwise.
func (l *List) setText(i int, kind Kind, text []byte) error {
	if uint(i) < uint(len(l.formats)) && !l.readOnly {
		start, end, ok := l.slot(i)
		if size := end - start; ok && size <= smallSlot && uint64(len(text)) <= size*wordSize &&
			(len(text) == 0 || text[len(text)-1] != 0) && (kind == Bytes || isUTF8(text)) {
			l.begin(i)
			l.setSlot(span{int(start) * wordSize, int(size) * wordSize}, text)
			l.finish(i, kind.code(), smallFormats[size])
			return nil
		}
	}
	return itemErr("set", i, l.put(i, item{kind: kind, text: text}))
}

// SetNone is [List.Set] for None.
func (l *List) SetNone(i int) error { return itemErr("set", i, l.put(i, noneItem())) }

func (l *List) put(i int, it item) error {
	if l.readOnly {
		return ErrReadOnly
	}
	at, err := l.span(i)
	if err != nil {
		return err
	}
	if it.kind.isText() {
		if err := it.checkText(); err != nil {
			return err
		}
		if len(it.text) > at.size {
			return fmt.Errorf("%w: %d bytes, the slot has %d", ErrTooLong, len(it.text), at.size)
		}
		l.begin(i)
		l.setSlot(at, it.text)
	} else {
		if words.Load64(&l.formats[i]) == formatFor(it.kind, at.size) && l.codes[i] == it.kind.code() {
			words.StoreRelease64(l.slotWord(at), it.bits)
			return nil
		}
		l.begin(i)
		words.StoreRelease64(l.slotWord(at), it.bits)
	}
	l.finish(i, it.kind.code(), formatFor(it.kind, at.size))
	return nil
}

// begin makes item i unreadable while its slot changes. finish makes it readable
// again, and writes the format last.
//
//	         format  slot  code
//	         old     old   old
//	begin    " "     old   old
//	         " "     new   old
//	finish   " "     new   new
//	         new     new   new
//
// The format in between is a blank. Python's struct unpacks nothing with it, nor with
// the NULs in the middle of CPython's own writes, so Python's readers get the same
// ValueError. But NULs would stay if this process died here. Over NULs Python cannot
// set a str any more (IndexError), and a list of one item would look as if it had
// never been completed.
//
// The comment on reading explains the order of the stores.
func (l *List) begin(i int) {
	words.StoreRelease64(&l.formats[i], formatBusy)
	words.OrderStores()
}

func (l *List) finish(i int, code int8, format uint64) {
	if l.codes[i] != code {
		l.codes[i] = code
	}
	words.StoreRelease64(&l.formats[i], format)
}

// setSlot writes text into a slot, which has room for it, and NULs behind it: readers
// strip only NULs.
func (l *List) setSlot(at span, text []byte) {
	slot := l.slotBytes(at)
	if at.size == wordSize && len(text) < wordSize {
		binary.LittleEndian.PutUint64(slot, shortWord(text))
		return
	}
	clear(slot[copy(slot, text):])
}

// AddInt adds delta to item i, which must be an int, and returns the sum. It
// refuses a sum that overflows ([ErrRange]). It is atomic against AddInt,
// CompareAndSwapInt and SetInt in all Go processes, as long as no process changes the
// item's kind. Python's writes are never atomic: share a lock with Python.
func (l *List) AddInt(i int, delta int64) (int64, error) {
	p, err := l.intWord(i)
	if err != nil {
		return 0, itemErr("add to", i, err)
	}
	for {
		old := words.Load64(p)
		sum := int64(old) + delta
		if (sum > int64(old)) != (delta > 0) {
			return 0, itemErr("add to", i, fmt.Errorf("%w: %d%+d", ErrRange, int64(old), delta))
		}
		if words.CompareAndSwap64(p, old, uint64(sum)) {
			return sum, nil
		}
	}
}

// CompareAndSwapInt stores new in item i, which must be an int, if the item holds
// old, and reports whether it did. It is as atomic as [List.AddInt].
func (l *List) CompareAndSwapInt(i int, old, new int64) (bool, error) {
	p, err := l.intWord(i)
	if err != nil {
		return false, itemErr("compare and swap", i, err)
	}
	return words.CompareAndSwap64(p, uint64(old), uint64(new)), nil
}

// intWord returns the slot of item i, which must be an int, for a caller that
// changes it.
func (l *List) intWord(i int) (*uint64, error) {
	if l.readOnly {
		return nil, ErrReadOnly
	}
	h, err := l.header(i, &backoff{})
	if err != nil {
		return nil, err
	}
	if h.kind != Int {
		return nil, kindErr(h.kind, Int)
	}
	return l.slotWord(h.span), nil
}
