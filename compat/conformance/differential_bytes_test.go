package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestDifferentialBytes has Python make lists, damages their bytes, and has Python and Go
// attach to the damaged lists and read every item. Where Python reads a value, Go reads
// the same, or fails for a reason that format/LAYOUT.md gives. Where Python raises an
// exception, Go reads nothing.
func TestDifferentialBytes(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	seed := soak.Seed(t)
	reads := soak.Length(2000, 150_000)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		check(t, p.Exec(readItemsSource))
		own := crc64.Checksum([]byte(py.String()), crc64.MakeTable(crc64.ISO)) // lists for each interpreter
		var tally soak.Tally
		for batch := 0; tally.Count("reads") < reads && !t.Failed(); batch++ {
			compareDamaged(t, p, generator{soak.Rand(seed^own, batch)}, &tally)
		}
		t.Log(&tally)
	})
}

// compareDamaged damages some lists, and compares the values that either side reads.
func compareDamaged(t *testing.T, p *compat.Peer, g generator, tally *soak.Tally) {
	lists := damagedLists(t, p, g)
	defer func() {
		for _, l := range lists {
			os.Remove(fileOf(l.name))
		}
	}()
	readInPython(t, p, lists)
	for _, l := range lists {
		l.readInGo(t)
		l.compare(t, p.Interpreter(), tally)
	}
}

// A damagedList is a segment with the bytes of a list, some of which have changed.
type damagedList struct {
	name   string
	bytes  []byte
	damage []string // what has changed

	// The outcome of reading each item: a value or, instead of it, raised by Python or a
	// reason by Go. A side that cannot attach has the reason for the whole list.
	python, inGo       []any
	noList, noListInGo any
	layout             format.Layout // as Go sees it
}

// readLimit is how many items are read at most of a list, whose count may be a lie.
const readLimit = 20

// readItemsSource attaches in a way that does not unlink the name when Python ends. If
// the count is a lie, there is not enough memory for all the formats.
const readItemsSource = observeSource + `
import resource
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource_tracker.register = lambda *args: None
resource_tracker.unregister = lambda *args: None

def read_item(sl, i):
    value = sl[i]
    # From 3.14 on, struct has complex numbers, which no list of Python's holds.
    return str(value) if type(value) is complex else value

def read_items(name, limit):
    sl = attempt(lambda: ShareableList(name=name))
    if type(sl) is list:
        return sl
    items = [attempt(read_item, sl, i) for i in range(min(sl._list_len, limit))]
    sl.shm.close()
    return [items]
`

// damagedLists has Python make lists, and makes several damaged ones of each.
func damagedLists(t *testing.T, p *compat.Peer, g generator) (lists []*damagedList) {
	var c conversation
	for range 10 {
		values := []any{}
		for range 1 + g.IntN(10) {
			values = append(values, g.value(g.IntN(40)))
		}
		c.ask("", "create_list", []any{"whole", testkit.Name(t), values}, nil)
		c.ask("whole", "bytes", nil, func(whole any) {
			for range 10 {
				l := &damagedList{name: testkit.Name(t), bytes: bytes.Clone(whole.([]byte))}
				for range 1 + g.IntN(3) {
					l.change(g, len(values))
				}
				check(t, os.WriteFile(fileOf(l.name), l.bytes, 0o600))
				lists = append(lists, l)
			}
		})
		c.ask("whole", "close", nil, nil)
		c.ask("whole", "unlink", nil, nil)
	}
	c.take(t, p)
	return lists
}

// change changes something about a list of n items.
func (l *damagedList) change(g generator, n int) {
	size := len(l.bytes)
	if size < 16+n {
		return // cut short before
	}
	formats, codes := size-9*n, size-n
	word := 8 * g.IntN(size/8)
	switch g.IntN(10) {
	case 0:
		l.put(g.IntN(size), []byte{byte(g.Uint32())})
	case 1:
		at := g.IntN(size)
		l.put(at, []byte{l.bytes[at] ^ 1<<g.IntN(8)})
	case 2: // a word from elsewhere
		l.put(word, l.bytes[8*g.IntN(size/8):][:8])
	case 3:
		l.putWord(word, pick(g, uint64(8*g.IntN(20)), uint64(g.IntN(64)), 1<<62, math.MaxUint64-7, g.Uint64()))
	case 4: // the table
		l.putWord(8+8*g.IntN(n+1), pick(g, uint64(8*g.IntN(size/8)), uint64(g.IntN(size)), 0, 1<<40))
	case 5, 6:
		l.put(formats+8*g.IntN(n), append([]byte(pick(g, structFormats...)), make([]byte, 8)...)[:8])
	case 7:
		l.put(codes+g.IntN(n), []byte{byte(g.IntN(7) - 1)})
	case 8:
		l.putWord(0, uint64(n+g.IntN(5)-2))
	case 9:
		l.damage = append(l.damage, "another size")
		l.bytes = append(l.bytes, make([]byte, 24)...)[:size-8+g.IntN(30)]
	}
	// Neither side sees that a count of millions is a lie, but it takes Python seconds.
	if count := l.word(0); count > 1<<16 && count < 1<<40 {
		l.putWord(0, count<<40)
	}
}

// structFormats are formats that Python writes and others that struct knows.
var structFormats = []string{
	"q", "d", "xxxxxxx?", "xxxxxx?x", "8s", "16s", "24s", "40s", "1s", "5s", "0s", "9s", "999s", "9999992s",
	"", " ", "Q", "i", "f", "e", "?", "c", "p", "8p", "1q", "01q", "@q", "=q", "<q", ">d", "8x", "qx", "2s2s", "s",
	"08s", "+8s", "8s ", " 8s", "8\x00s", "q\x00q", "n", "P", "D", "xxxxxxxq", "\xff",
}

func (l *damagedList) put(at int, b []byte) {
	n := copy(l.bytes[at:], b)
	l.damage = append(l.damage, fmt.Sprintf("%q at %d", b[:n], at))
}

func (l *damagedList) putWord(at int, word uint64) {
	l.put(at, binary.NativeEndian.AppendUint64(nil, word))
}

// readInPython reads all the lists in one request.
func readInPython(t *testing.T, p *compat.Peer, lists []*damagedList) {
	var c conversation
	for _, l := range lists {
		c.ask("", "eval", []any{fmt.Sprintf("read_items(%q, %d)", l.name, readLimit)}, func(v any) {
			items, attached := v.([]any)[0].([]any)
			if !attached {
				l.noList = attempted(v)
			}
			for _, item := range items {
				l.python = append(l.python, attempted(item))
			}
		})
	}
	c.take(t, p)
}

func (l *damagedList) readInGo(t *testing.T) {
	list, err := pyshm.AttachList(l.name)
	if err != nil {
		l.noListInGo = reason(err)
		return
	}
	defer list.Close()
	l.layout = list.Layout()
	check(t, list.Batch(func(list *format.List) error {
		list = list.WithPatience(0) // no process is writing
		for i := range min(list.Len(), readLimit) {
			v, err := list.Get(i)
			if err != nil {
				v = reason(err)
			}
			if f, ok := v.(float64); ok {
				v = floatOf(inPython(math.Float64bits(f)))
			}
			l.inGo = append(l.inGo, v)
		}
		return nil
	}))
}

func (l *damagedList) compare(t *testing.T, py compat.Interpreter, tally *soak.Tally) {
	tally.Add("lists", 1)
	for i := range max(len(l.python), len(l.inGo)) {
		tally.Add("reads", 1)
		theirs, ours := l.noList, l.noListInGo
		if i < len(l.python) {
			theirs = l.python[i]
		}
		if i < len(l.inGo) {
			ours = l.inGo[i]
		}
		what, ok := l.judge(py, i, theirs, ours)
		tally.Add(what, 1)
		if !ok {
			t.Errorf("%s: item %d: Python %#v, Go %#v\ndamage: %q\n%s", what, i, theirs, ours, l.damage, hex.Dump(l.bytes))
		}
	}
}

// judge compares the outcomes of Python and Go for an item.
func (l *damagedList) judge(py compat.Interpreter, i int, theirs, ours any) (what string, ok bool) {
	_, exception := theirs.(raised)
	_, refusal := ours.(error)
	why := l.refusable(i)
	switch {
	case !refusal && why != "":
		return "read in spite of its " + why, false
	case exception && refusal:
		return "read by neither", true
	case !exception && !refusal && identical(theirs, ours):
		return "read alike", true
	case l.noListInGo == nil && l.layout != py.Layout():
		return "in another layout than Python's", true
	case !refusal:
		return "read otherwise than by Python", false
	case why == "":
		return "refused for no reason", false
	}
	return "refused for its " + why, true
}

// refusable returns the reason of LAYOUT.md to refuse item i, without the code of package
// format.
func (l *damagedList) refusable(i int) string {
	size := uint64(len(l.bytes))
	if size < 33 {
		return "size"
	}
	n := l.word(0)
	if n == 0 || n > (size-8)/25 {
		return "count"
	}
	start, end, dataSize, data := l.slot(uint64(i), n)
	switch {
	case dataSize == 0 || dataSize%8 != 0 || dataSize > size || data+dataSize+9*n > size:
		return "table"
	case start >= end || end > dataSize || (start|end)%8 != 0 || end-start > 9_999_992:
		return "place of the slot"
	}
	formats := data + dataSize
	word := strings.TrimRight(string(l.bytes[formats+8*uint64(i):][:8]), "\x00")
	code := int8(l.bytes[formats+8*n+uint64(i)])
	text, isText := strings.CutSuffix(word, "s")
	length, err := strconv.ParseUint(text, 10, 64)
	isText = isText && err == nil && strconv.FormatUint(length, 10) == text
	switch {
	case !isText && !slices.Contains([]string{"q", "d", "xxxxxxx?", "xxxxxx?x"}, word):
		return "format"
	case isText && length > end-start:
		return "format beyond the slot"
	case isText && code != 1 && code != 2,
		!isText && code != map[bool]int8{true: 3}[word == "xxxxxx?x"]:
		return "code"
	}
	return ""
}

func (l *damagedList) word(at uint64) uint64 { return binary.NativeEndian.Uint64(l.bytes[at:]) }

// slot reads the places of slot i and of the data area from the table.
func (l *damagedList) slot(i, n uint64) (start, end, dataSize, data uint64) {
	if l.word(8) == 0 {
		return l.word(8 + 8*i), l.word(16 + 8*i), l.word(8 + 8*n), 16 + 8*n
	}
	for j := range n {
		if j == i {
			start, end = dataSize, dataSize+l.word(8+8*j)
		}
		if l.word(8+8*j) > uint64(len(l.bytes)) || l.word(8+8*j)%8 != 0 || l.word(8+8*j) == 0 {
			return 0, 0, 0, 0
		}
		dataSize += l.word(8 + 8*j)
	}
	return start, end, dataSize, 8 + 8*n
}
