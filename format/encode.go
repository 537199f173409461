package format

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// Options change how a list is laid out. nil and the zero value mean the layout of
// CPython 3.9 and later.
type Options struct {
	Layout Layout // the zero value is Offsets

	// CPythonSlots loses data. It is for comparing bytes with CPython's. It sizes str
	// slots by code points and cuts a str that does not fit, exactly as CPython does.
	// It accepts values ending in NUL, which readers strip.
	CPythonSlots bool
}

// Size returns the size in bytes of the list that [Encode] would return.
func Size(values []any, opts *Options) (int, error) {
	e, err := NewEncoder(values, opts)
	if err != nil {
		return 0, err
	}
	return e.Size(), nil
}

// Encode returns a list of the values, in an 8-byte aligned buffer that
// [Attach] takes. Items may be of the types in the package's table, or [Sized].
//
// Slots have the size that CPython gives them, with one exception. CPython counts code
// points instead of bytes, and so would cut some strs. Such a str gets a slot with
// room for all its bytes, and every Python reads it back whole.
func Encode(values []any, opts *Options) ([]byte, error) {
	e, err := NewEncoder(values, opts)
	if err != nil {
		return nil, err
	}
	s := sink{buf: alignedBytes(e.size)[:0]}
	e.encode(&s)
	return s.buf, nil
}

// An Encoder writes a list piece by piece, for lists too large to hold in memory
// twice. It keeps the values it was made from. They must not change until the Encoder
// is done.
type Encoder struct {
	at     func(i int) (item, error)
	values []any // of which at returns one, or nil if the values have a type
	n      int
	plan   plan     // of the slots, unless all items are numbers of one kind
	kind   Kind     // the kind of all items, or 0 if there is a plan
	words  []uint64 // the numbers as they lie in their slots, or nil
	layout Layout
	exact  bool // Options.CPythonSlots
	size   int
}

// NewEncoder returns an Encoder of the values. It checks all of them, so that writing
// cannot fail because of a value.
func NewEncoder(values []any, opts *Options) (*Encoder, error) {
	at := func(i int) (item, error) { return sizedItemOf(values[i]) }
	return newEncoder(Encoder{n: len(values), values: values, at: at}, opts)
}

// NewEncoderOf is NewEncoder for values of one type. It saves putting each value into
// an interface.
func NewEncoderOf[T int64 | float64 | bool | string | []byte](values []T, opts *Options) (*Encoder, error) {
	var at func(i int) (item, error)
	switch vs := any(values).(type) {
	case []int64:
		return newNumberEncoder(Encoder{n: len(vs), kind: Int, words: numbersOf(vs)}, opts)
	case []float64:
		return newNumberEncoder(Encoder{n: len(vs), kind: Float, words: numbersOf(vs)}, opts)
	case []bool:
		at = func(i int) (item, error) { return boolItem(vs[i]), nil }
		return newNumberEncoder(Encoder{n: len(vs), kind: Bool, at: at}, opts)
	case []string:
		at = func(i int) (item, error) { return strItem(vs[i]), nil }
	case [][]byte:
		at = func(i int) (item, error) { return bytesItem(vs[i]), nil }
	}
	return newEncoder(Encoder{n: len(values), at: at}, opts)
}

// newEncoder completes an Encoder of any values.
func newEncoder(e Encoder, opts *Options) (*Encoder, error) {
	if err := e.apply(opts); err != nil {
		return nil, err
	}
	e.plan = newPlan(e.n)
	dataSize := uint64(0)
	for i := range e.n {
		kind, size := e.planUsual(i)
		if kind == 0 {
			var err error
			if kind, size, err = e.planAny(i); err != nil {
				return nil, itemErr("encode", i, err)
			}
		}
		e.plan.add(kind, size)
		dataSize += uint64(size)
	}
	return &e, e.setSize(dataSize)
}

// planAny checks value i, and returns the kind and size of its slot.
func (e *Encoder) planAny(i int) (Kind, int, error) {
	it, err := e.at(i)
	if err == nil {
		err = e.check(it)
	}
	return it.kind, e.slotSize(it), err
}

// planUsual is planAny for numbers of the usual types and for ASCII. For others the kind
// is 0.
func (e *Encoder) planUsual(i int) (kind Kind, size int) {
	if e.values == nil {
		return 0, 0
	}
	switch v := e.values[i].(type) {
	case int, int64:
		return Int, wordSize
	case float64:
		return Float, wordSize
	case nil:
		return None, wordSize
	case string:
		if len(v) <= MaxText && isASCII(strItem(v).text) && (len(v) == 0 || v[len(v)-1] != 0) {
			return Str, slotFor(len(v))
		}
	}
	return 0, 0
}

// newNumberEncoder completes an Encoder of numbers, or bools, all of one kind.
func newNumberEncoder(e Encoder, opts *Options) (*Encoder, error) {
	if err := e.apply(opts); err != nil {
		return nil, err
	}
	return &e, e.setSize(uint64(e.n) * wordSize)
}

func (e *Encoder) apply(opts *Options) error {
	if opts == nil {
		return nil
	}
	if opts.Layout > Sizes {
		return listErr("encode", fmt.Errorf("%w: %v", ErrType, opts.Layout))
	}
	e.layout, e.exact = opts.Layout, opts.CPythonSlots
	return nil
}

func (e *Encoder) setSize(dataSize uint64) error {
	if total := 2*wordSize + uint64(e.n)*(2*wordSize+1) + dataSize; total > math.MaxInt {
		return listErr("encode", fmt.Errorf("%w: a list of %d bytes", ErrTooLarge, total))
	}
	e.size = e.layout.areas(e.n, int(dataSize)).end
	return nil
}

// sizedItemOf is itemOf for values that may be Sized.
func sizedItemOf(v any) (item, error) {
	sized, ok := v.(Sized)
	if !ok {
		return itemOf(v)
	}
	it, err := itemOf(sized.Value)
	if err != nil {
		return item{}, err
	}
	switch {
	case !it.kind.isText():
		return item{}, fmt.Errorf("%w: Sized is for str and bytes, not %v", ErrType, it.kind)
	case sized.Capacity < 0:
		return item{}, fmt.Errorf("%w: Sized with a capacity of %d", ErrRange, sized.Capacity)
	case sized.Capacity > maxSlot:
		return item{}, fmt.Errorf("%w: Sized with a capacity of %d bytes, at most %d", ErrTooLarge, sized.Capacity, maxSlot)
	}
	it.capacity = sized.Capacity
	return it, nil
}

func (e *Encoder) check(it item) error {
	if !it.kind.isText() {
		return nil
	}
	if !e.exact {
		return it.checkText()
	}
	// CPython keeps NULs and counts a str in code points.
	switch n := it.length(); {
	case it.kind == Str && !utf8.Valid(it.text):
		return ErrUTF8
	case n > MaxText:
		return fmt.Errorf("%w: length %d, at most %d", ErrTooLarge, n, MaxText)
	}
	return nil
}

// length returns the same as Python's len for a str or bytes.
func (it item) length() int {
	if it.kind == Str {
		return utf8.RuneCount(it.text)
	}
	return len(it.text)
}

func (e *Encoder) slotSize(it item) int {
	if !it.kind.isText() {
		return wordSize
	}
	size := slotFor(it.length())
	if len(it.text) > size && !e.exact {
		size = slotFor(len(it.text))
	}
	return max(size, (it.capacity+wordSize-1)/wordSize*wordSize)
}

// slotFor returns CPython's size of a slot for text of length n: the next multiple
// of 8 above n.
func slotFor(n int) int { return wordSize * (n/wordSize + 1) }

// Size returns the size of the list in bytes.
func (e *Encoder) Size() int { return e.size }

// WriteTo writes the whole list to w, in pieces of up to 64 KiB or a slot.
func (e *Encoder) WriteTo(w io.Writer) (int64, error) {
	s := sink{buf: make([]byte, 0, min(e.size, 64<<10)), w: w}
	e.encode(&s)
	s.flush()
	return s.written, s.err
}

// encode writes the four areas one after the other.
func (e *Encoder) encode(s *sink) {
	s.word(uint64(e.n))
	if e.kind != 0 {
		e.encodeNumbers(s)
		return
	}
	e.encodeTable(s)
	for left := e.plan; len(left.slots) > 0; {
		rest := e.encodeSlots(s, left)
		if len(rest.slots) == len(left.slots) {
			rest = e.encodeLarge(s, left)
		}
		left = rest
	}
	e.encodeFormats(s)
	e.encodeCodes(s)
}

// encodeSlots puts as many of the slots that are left as the buffer has room for, and
// returns the rest.
func (e *Encoder) encodeSlots(s *sink, left plan) (rest plan) {
	first, _ := left.slots[0].size(left.large)
	part := s.space(first)
	free, i := len(part), e.n-len(left.slots)
	slots, large := left.slots, left.large
	for j, slot := range slots {
		size, more := slot.size(large)
		if size > len(part) {
			slots = slots[:j]
			break
		}
		large = more
		e.encodeSlot(part[:size], i+j)
		part = part[size:]
	}
	s.use(free - len(part))
	return plan{left.slots[len(slots):], large}
}

// encodeLarge puts the first slot, which is larger than the buffer, and returns the rest.
func (e *Encoder) encodeLarge(s *sink, left plan) (rest plan) {
	it, _ := e.at(e.n - len(left.slots)) // newEncoder has checked the error
	size, large := left.slots[0].size(left.large)
	text := it.text[:min(size, len(it.text))]
	s.bytes(text)
	s.zeros(size - len(text))
	return plan{left.slots[1:], large}
}

func (e *Encoder) encodeSlot(slot []byte, i int) {
	if e.values != nil {
		switch v := e.values[i].(type) {
		case int:
			binary.NativeEndian.PutUint64(slot, uint64(int64(v)))
			return
		case int64:
			binary.NativeEndian.PutUint64(slot, uint64(v))
			return
		case float64:
			binary.NativeEndian.PutUint64(slot, math.Float64bits(v))
			return
		case string:
			fillSlot(slot, strItem(v).text)
			return
		case nil:
			binary.NativeEndian.PutUint64(slot, 0)
			return
		}
	}
	it, _ := e.at(i) // newEncoder has checked the error
	if it.kind.isText() {
		fillSlot(slot, it.text)
	} else {
		binary.NativeEndian.PutUint64(slot, it.bits)
	}
}

func (e *Encoder) encodeFormats(s *sink) {
	size, large := 0, e.plan.large
	for slots := e.plan.slots; len(slots) > 0; {
		part := s.space(wordSize)
		n := min(len(slots), len(part)/wordSize)
		for j, slot := range slots[:n] {
			size, large = slot.size(large)
			binary.NativeEndian.PutUint64(part[j*wordSize:], formatFor(slot.kind(), size))
		}
		s.use(n * wordSize)
		slots = slots[n:]
	}
}

func (e *Encoder) encodeCodes(s *sink) {
	for slots := e.plan.slots; len(slots) > 0; {
		part := s.space(1)
		n := min(len(slots), len(part))
		for j, slot := range slots[:n] {
			part[j] = byte(slot.kind().code())
		}
		s.use(n)
		slots = slots[n:]
	}
}

// encodeNumbers is encode for numbers of one kind: its table, formats and codes need no
// look at the items.
func (e *Encoder) encodeNumbers(s *sink) {
	if e.layout == Sizes {
		s.series(e.n, wordSize, 0)
	} else {
		s.series(e.n+1, 0, wordSize)
	}
	if e.words != nil {
		s.bytes(bytesOf(e.words))
	} else {
		for i := range e.n {
			it, _ := e.at(i)
			s.word(it.bits)
		}
	}
	s.series(e.n, formatFor(e.kind, wordSize), 0)
	s.zeros(e.n) // codeNumber
}

func (e *Encoder) encodeTable(s *sink) {
	offset := uint64(0)
	if e.layout == Offsets {
		s.word(offset)
	}
	size, large := 0, e.plan.large
	for slots := e.plan.slots; len(slots) > 0; {
		part := s.space(wordSize)
		n := min(len(slots), len(part)/wordSize)
		for j, slot := range slots[:n] {
			size, large = slot.size(large)
			offset += uint64(size)
			entry := offset
			if e.layout == Sizes {
				entry = uint64(size)
			}
			binary.NativeEndian.PutUint64(part[j*wordSize:], entry)
		}
		s.use(n * wordSize)
		slots = slots[n:]
	}
}

// A sink collects bytes in buf, and passes them on to w whenever buf is full.
// Without w, buf has room for everything.
type sink struct {
	buf     []byte
	w       io.Writer
	written int64
	err     error
}

func (s *sink) flush() {
	s.write(s.buf)
	s.buf = s.buf[:0]
}

func (s *sink) write(b []byte) {
	if s.err == nil && len(b) > 0 {
		n, err := s.w.Write(b)
		s.written += int64(n)
		s.err = err
	}
}

// room makes sure that n more bytes fit, unless n exceeds the whole buffer.
func (s *sink) room(n int) {
	if len(s.buf)+n > cap(s.buf) {
		s.flush()
	}
}

// space returns the unused rest of the buffer, for n bytes or more unless n exceeds the
// whole buffer. use notes that its first n bytes are used.
func (s *sink) space(n int) []byte {
	s.room(n)
	return s.buf[len(s.buf):cap(s.buf)]
}

func (s *sink) use(n int) { s.buf = s.buf[:len(s.buf)+n] }

func (s *sink) word(v uint64) {
	s.room(wordSize)
	s.buf = binary.NativeEndian.AppendUint64(s.buf, v)
}

// series puts n words, each step more than the one before it.
func (s *sink) series(n int, first, step uint64) {
	for n > 0 {
		s.room(wordSize)
		k := min(n, (cap(s.buf)-len(s.buf))/wordSize)
		part := s.buf[len(s.buf) : len(s.buf)+k*wordSize]
		for ; len(part) >= wordSize; part = part[wordSize:] {
			binary.NativeEndian.PutUint64(part, first)
			first += step
		}
		s.buf = s.buf[:len(s.buf)+k*wordSize]
		n -= k
	}
}

func (s *sink) bytes(b []byte) {
	if s.w != nil && len(b) >= cap(s.buf) { // saves a copy
		s.flush()
		s.write(b)
		return
	}
	for len(b) > 0 {
		s.room(1)
		n := min(len(b), cap(s.buf)-len(s.buf))
		s.buf = append(s.buf, b[:n]...)
		b = b[n:]
	}
}

func (s *sink) zeros(n int) {
	for n > 0 {
		s.room(1)
		k := min(n, cap(s.buf)-len(s.buf))
		clear(s.buf[len(s.buf) : len(s.buf)+k])
		s.buf = s.buf[:len(s.buf)+k]
		n -= k
	}
}
