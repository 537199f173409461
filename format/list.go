package format

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/internal/words"
)

// A List is a ShareableList in place: it reads and writes the buffer it was
// attached to and keeps no copy of any item. The package documentation describes
// what several goroutines and processes may do at once.
//
// Indices count from 0. A negative index, or one that is not below Len, is refused
// with [ErrIndex]. Errors about an item are [*Error]s.
type List struct {
	buf    []byte
	layout Layout
	n      int
	areas  areas

	// Views of the areas, so that an access needs no other check than the
	// index. Slot i reaches from offsets[i] to offsets[i+1] in data, in bytes.
	// In Offsets, offsets is the table itself. In Sizes, attachSizes adds it up.
	offsets []uint64 // n+1
	data    []uint64
	formats []uint64 // n
	codes   []int8   // n

	readOnly bool
	patience time.Duration // how long to wait for an item in the middle of a write
}

// patience is how long a read waits for an item whose header is in the middle
// of a change. The longest change seen from CPython took 0.9 ms.
const patience = 5 * time.Millisecond

// Attach returns the list in buf, which may be longer than the list: some
// systems round the size of a segment up to whole pages. buf must begin at a
// multiple of 8, else Attach fails with [ErrUnaligned]. Attach writes nothing.
//
// Attach reads the number of items, and where the areas begin, once. Offsets are read
// from memory and checked at each access. So Attach is O(1) in the Offsets layout.
// [List.Check] validates the whole header.
//
// An error wraps [ErrIncomplete] while another process is still creating the
// list, and [ErrCorrupt] if the bytes cannot become a list.
func Attach(buf []byte) (*List, error) {
	if !isAligned(buf) {
		return nil, listErr("attach", ErrUnaligned)
	}
	return attachAligned("attach", buf, patience)
}

// attachAligned returns the list in an aligned buffer, once its items are there.
func attachAligned(op string, buf []byte, patience time.Duration) (*List, error) {
	l, err := readShape(buf)
	if err == nil {
		l.patience = patience
		err = l.checkStarted()
	}
	if err != nil {
		return nil, listErr(op, err)
	}
	return l, nil
}

// AttachReadOnly is [Attach] for memory that cannot be written: every method
// that would write fails with [ErrReadOnly].
func AttachReadOnly(buf []byte) (*List, error) {
	l, err := Attach(buf)
	if err != nil {
		return nil, err
	}
	l.readOnly = true
	return l, nil
}

// WithPatience returns the same list with another limit on the time that its methods
// wait for an item in the middle of a write. After Attach the limit is about 5 ms.
// With 0 the methods look once.
func (l *List) WithPatience(limit time.Duration) *List {
	other := *l
	other.patience = limit
	return &other
}

// Decode returns a copy of all the items of the list in buf, which may begin at
// any address. buf must not change in the meantime: for shared memory, use [Attach].
func Decode(buf []byte) ([]any, error) {
	if !isAligned(buf) {
		aligned := alignedBytes(len(buf))
		copy(aligned, buf)
		buf = aligned
	}
	l, err := attachAligned("decode", buf, 0)
	if err != nil {
		return nil, err
	}
	return l.values("decode")
}

// readShape reads the number of items, the layout and the size of the data area.
func readShape(buf []byte) (*List, error) {
	switch {
	case len(buf) == 0:
		return nil, fmt.Errorf("%w: it has no bytes", ErrIncomplete)
	case len(buf) < wordSize+minItem && len(buf) != Sizes.areas(0, 0).end && len(buf) != Offsets.areas(0, 0).end:
		return nil, &CorruptError{Field: "size", Index: -1,
			Reason: fmt.Sprintf("no list has a size of %d bytes", len(buf))}
	}
	l := &List{buf: buf}
	count := words.Load64(l.word(0))
	if count == 0 {
		return l, l.attachEmpty()
	}
	if count > maxItems(buf) {
		return nil, &CorruptError{Field: "count", Index: -1,
			Reason: fmt.Sprintf("%d items do not fit %d bytes", int64(count), len(buf))}
	}
	l.n = int(count)
	// The first entry of a table is an offset, always 0, or a size, never below 8.
	if words.Load64(l.word(tableStart)) != 0 {
		return l, l.attachSizes()
	}
	return l, l.attachOffsets()
}

// maxItems returns how many items fit a buffer of at least a word.
func maxItems(buf []byte) uint64 { return uint64(len(buf)-wordSize) / minItem }

var errTableUnwritten = fmt.Errorf("%w: its table is not written", ErrIncomplete)

// attachEmpty accepts a list that CPython made of no items: 8 bytes or 16. A longer
// buffer belongs to a list whose creator has not written the count yet.
func (l *List) attachEmpty() error {
	switch len(l.buf) {
	case Sizes.areas(0, 0).end:
		l.layout = Sizes
	case Offsets.areas(0, 0).end:
		if end := words.Load64(l.word(tableStart)); end != 0 {
			return &CorruptError{Field: "table", Index: 0, Offset: tableStart,
				Reason: fmt.Sprintf("%d, but the first offset is always 0", int64(end))}
		}
	default:
		return fmt.Errorf("%w: the count is 0 in %d bytes", ErrIncomplete, len(l.buf))
	}
	l.areas = l.layout.areas(0, 0)
	return nil
}

func (l *List) attachOffsets() error {
	entry := tableStart + l.n*wordSize
	if entry+wordSize > len(l.buf) {
		return l.tooShort(uint64(entry + wordSize))
	}
	return l.placeOffsets(entry, words.Load64(l.word(entry)))
}

// placeOffsets sets the areas. The last entry of the table says that the data area has
// dataSize bytes.
func (l *List) placeOffsets(entry int, dataSize uint64) error {
	switch {
	case dataSize == 0: // the creator has written the count, but not all of the table
		return errTableUnwritten
	case dataSize%wordSize != 0 || dataSize > uint64(len(l.buf)):
		return &CorruptError{Field: "table", Index: l.n, Offset: entry,
			Reason: fmt.Sprintf("a data area of %d bytes in a buffer of %d", int64(dataSize), len(l.buf))}
	}
	l.offsets = viewWords(l.buf, tableStart, l.n+1)
	return l.place(dataSize)
}

func (l *List) attachSizes() error {
	l.layout = Sizes
	sizes := viewWords(l.buf, tableStart, l.n)
	sum := uint64(0)
	for i := range sizes {
		size := words.Load64(&sizes[i])
		if size == 0 {
			return errTableUnwritten
		}
		if size%wordSize != 0 || size > uint64(len(l.buf))-sum {
			return &CorruptError{Field: "table", Index: i, Offset: tableStart + i*wordSize,
				Reason: fmt.Sprintf("a slot of %d bytes, at %d in the data area, in a buffer of %d bytes", int64(size), sum, len(l.buf))}
		}
		sum += size
	}
	if err := l.place(sum); err != nil {
		return err
	}
	// Allocate only after all sizes have proved good: a sparse file of terabytes can
	// claim any number of items, but most of its table is zero. A size that has
	// changed since is noticed when an item is used.
	l.offsets = make([]uint64, l.n+1)
	for i := range sizes {
		l.offsets[i+1] = l.offsets[i] + words.Load64(&sizes[i])
	}
	return nil
}

// place sets the areas, if a data area of dataSize bytes, at most len(buf),
// leaves room for the other areas.
func (l *List) place(dataSize uint64) error {
	rest := l.layout.areas(l.n, 0).end
	if dataSize+uint64(rest) > uint64(len(l.buf)) {
		return l.tooShort(dataSize + uint64(rest))
	}
	l.areas = l.layout.areas(l.n, int(dataSize))
	l.data = viewWords(l.buf, l.areas.data, int(dataSize)/wordSize)
	l.formats = viewWords(l.buf, l.areas.formats, l.n)
	l.codes = viewCodes(l.buf, l.areas.codes, l.n)
	return nil
}

func (l *List) tooShort(need uint64) error {
	return &CorruptError{Field: "size", Index: -1,
		Reason: fmt.Sprintf("%d bytes, but %d items need %d", len(l.buf), l.n, need)}
}

// checkStarted fails with ErrIncomplete if the creator has not reached the formats,
// which CPython writes after the data. A list whose items are being set differs: some
// format is written, or some code where CPython has zeroed the format.
func (l *List) checkStarted() error {
	var pause backoff
	for {
		if l.n == 0 || l.anyFormat() {
			return nil
		}
		if !pause.again(l.patience) {
			return fmt.Errorf("%w: its formats are not written", ErrIncomplete)
		}
	}
}

// anyFormat reports whether a format or code is written. It looks at the first items
// only: they are written first, and in a sparse file every look takes memory.
func (l *List) anyFormat() bool {
	for i := range min(l.n, 64) {
		if words.Load64(&l.formats[i]) != 0 || l.codes[i] != 0 {
			return true
		}
	}
	return false
}

// Len returns the number of items, as it was at Attach. It never changes.
func (l *List) Len() int { return l.n }

// Layout returns the list's byte layout. For an empty list of 8 bytes it is Sizes.
func (l *List) Layout() Layout { return l.layout }

// word returns the word at off, a multiple of 8.
func (l *List) word(off int) *uint64 { return &viewWords(l.buf, off, 1)[0] }

// A span is where an item's slot lies in the data area, in bytes.
type span struct {
	start, size int
}

// span finds slot i, and checks that it lies in the data area.
func (l *List) span(i int) (span, error) {
	if uint(i) >= uint(l.n) {
		return span{}, l.indexErr(i)
	}
	start, end := words.Load64(&l.offsets[i]), words.Load64(&l.offsets[i+1])
	if !l.isSlot(start, end) {
		reason := fmt.Sprintf("a slot from %d to %d in a data area of %d bytes", int64(start), int64(end), l.dataSize())
		if start < end && end-start > maxSlot {
			reason += fmt.Sprintf(", longer than %d", maxSlot)
		}
		return span{}, &CorruptError{Field: "table", Index: i, Offset: tableStart + i*wordSize, Reason: reason}
	}
	return span{int(start), int(end - start)}, nil
}

func (l *List) indexErr(i int) error {
	return fmt.Errorf("%w: %d with length %d", ErrIndex, i, l.n)
}

func (l *List) dataSize() int { return len(l.data) * wordSize }

// isSlot reports whether a slot can lie from start to end in the data area.
func (l *List) isSlot(start, end uint64) bool {
	return start < end && end <= uint64(l.dataSize()) && (start|end)%wordSize == 0 && end-start <= maxSlot
}

// slot returns where the slot of item i, which is below Len, begins and ends in the data
// area, in words, and whether it lies in there. It is span for the usual case.
func (l *List) slot(i int) (start, end uint64, ok bool) {
	// An offset that 8 does not divide becomes greater than every length.
	offsets := l.offsets
	start = bits.RotateLeft64(words.Load64(&offsets[i]), -3)
	end = bits.RotateLeft64(words.Load64(&offsets[i+1]), -3)
	return start, end, start < end && end <= uint64(len(l.data)) && end-start <= maxSlot/wordSize
}

// slotWord returns the word at the start of a slot: the value of a number.
func (l *List) slotWord(at span) *uint64 { return &l.data[at.start/wordSize] }

// slotBytes returns the slot in place.
func (l *List) slotBytes(at span) []byte {
	start := l.areas.data + at.start
	return l.buf[start : start+at.size : start+at.size]
}

// A Slot describes where and how an item is stored.
type Slot struct {
	Kind     Kind
	Format   string // the struct format, such as "q" or "16s"
	Code     int8   // the back-transform code
	Offset   int    // where the slot begins, in bytes from the start of the buffer
	Capacity int    // the slot's size in bytes: the longest str or bytes that can be set
}

// Slot describes item i.
func (l *List) Slot(i int) (Slot, error) {
	var pause backoff
	h, err := l.header(i, &pause)
	if err != nil {
		return Slot{}, itemErr("slot of", i, err)
	}
	return Slot{Kind: h.kind, Format: formatText(h.word), Code: h.code, Offset: l.areas.data + h.start, Capacity: h.size}, nil
}

// Format returns the items' struct formats one after the other, as Python's
// sl.format does, for example "qdxxxxxxx?8s". It returns the formats in memory, valid
// or not. An item in the middle of a write may be missing. Format stops at the first
// item that has no valid slot: a sparse file can claim more items than there is
// memory to look at.
func (l *List) Format() string {
	var b strings.Builder
	for i := range l.n {
		if _, err := l.span(i); err != nil {
			break
		}
		b.WriteString(formatText(words.Load64(&l.formats[i])))
	}
	return b.String()
}

// Check validates every word of the header: the count, the table, all formats
// and codes. It reads no values. It is O(n). It finds every fault of the header that
// later access to the items would find, and also a count or table that has changed
// since Attach.
func (l *List) Check() error {
	if l.buf == nil { // the zero List
		return nil
	}
	if count := words.Load64(l.word(0)); count != uint64(l.n) {
		return listErr("check", &CorruptError{Field: "count", Index: -1,
			Reason: fmt.Sprintf("%d, but it was %d at attach", int64(count), l.n)})
	}
	if err := l.checkTable(); err != nil {
		return listErr("check", err)
	}
	var pause backoff
	for i := range l.n {
		pause.next()
		if _, err := l.header(i, &pause); err != nil {
			return itemErr("check", i, err)
		}
	}
	return nil
}

// checkTable finds the faults that header does not: a first or last offset that is
// wrong, and sizes that have changed since Attach.
func (l *List) checkTable() error {
	if l.layout == Sizes {
		for i := range l.n {
			entry := tableStart + i*wordSize
			if size, want := words.Load64(l.word(entry)), l.offsets[i+1]-l.offsets[i]; size != want {
				return &CorruptError{Field: "table", Index: i, Offset: entry,
					Reason: fmt.Sprintf("%d, but it was %d at attach", int64(size), want)}
			}
		}
		return nil
	}
	last := tableStart + l.n*wordSize
	if first := words.Load64(l.word(tableStart)); first != 0 {
		return &CorruptError{Field: "table", Index: 0, Offset: tableStart,
			Reason: fmt.Sprintf("%d, but the first offset is always 0", int64(first))}
	}
	if end, want := words.Load64(l.word(last)), l.dataSize(); end != uint64(want) {
		return &CorruptError{Field: "table", Index: l.n, Offset: last,
			Reason: fmt.Sprintf("%d, but it was %d at attach", int64(end), want)}
	}
	return nil
}
