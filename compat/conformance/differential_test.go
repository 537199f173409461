package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// differentialBatch is how many lists are in a message to Python.
const differentialBatch = 100

// TestDifferential makes random lists in Python and in Go, sets random items of
// each from the other side, and compares bytes and values all the way.
//
// It makes about 1,000 lists, or 20,000 for each interpreter with PYSHM_SOAK=1.
// A failure shows a seed: with PYSHM_SEED=seed every interpreter gets the same lists
// again.
func TestDifferential(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	found := must(compat.Find(t.Context()))(t)
	lists, seed := soak.Length(1000/len(found), 20_000), soak.Seed(t)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		check(t, p.Exec(observeSource))
		for first := 0; first < lists && !t.Failed(); first += differentialBatch {
			var batch []*randomList
			for number := first; number < min(first+differentialBatch, lists); number++ {
				batch = append(batch, newRandomList(seed, py, number))
			}
			compare(t, p, batch)
		}
	})
}

// A randomList is made twice, by Python and by Go. Each side then changes the other's.
type randomList struct {
	seed   uint64
	number int
	values []any
	sets   []randomSet

	inPython observation // of theirs, as made
	theirs   *pyshm.ShareableList
	ours     *pyshm.ShareableList
	kept     bool // Python has lost nothing: both hold the same bytes
}

type randomSet struct {
	index int
	value any
}

func (s randomSet) String() string {
	return fmt.Sprintf("[%d] = %s", s.index, format.Repr(s.value))
}

// compare makes, changes and compares the lists in two messages to Python.
func compare(t *testing.T, p *compat.Peer, lists []*randomList) {
	var made, changed conversation
	for _, l := range lists {
		l.makeInPython(t, &made)
	}
	made.take(t, p)
	for _, l := range lists {
		l.readTheirs(t, p)
		l.makeInGo(t, p)
		l.change(t, &changed)
	}
	changed.take(t, p)
	for _, l := range lists {
		check(t, l.ours.Close())
		check(t, l.theirs.Close())
	}
}

func (l *randomList) makeInPython(t *testing.T, c *conversation) {
	name := newName(t)
	c.ask("", "create_list", []any{l.variable("theirs"), name, l.values}, func(any) {
		l.theirs = must(pyshm.AttachList(name))(t)
	})
	l.observe(c, "theirs", func(o observation) { l.inPython = o })
}

// readTheirs expects Go to read the same values in Python's list as Python, and to make
// the same bytes.
func (l *randomList) readTheirs(t *testing.T, p *compat.Peer) {
	if want := cpythonBytes(t, p, l.values...); !bytes.Equal(l.inPython.bytes, want) {
		l.errorf(t, "Python wrote other bytes than Go with CPythonSlots\n%s", hexDiff(l.inPython.bytes, want))
	}
	l.expect(t, l.inPython, observeInGo(t, l.theirs))
	if len(l.values) > 0 {
		// Some systems round the size of a segment up to whole pages.
		padded := make([]byte, (len(l.inPython.bytes)+4095)&^4095)
		copy(padded, l.inPython.bytes)
		got, err := format.Decode(padded)
		if want, wantErr := l.theirs.Values(); !identical(got, want) || reason(err) != reason(wantErr) {
			l.errorf(t, "in whole pages Go reads %s, %v, want %s, %v", format.Repr(got), err, format.Repr(want), wantErr)
		}
	}
	l.kept = identical(l.inPython.items, l.values)
}

// makeInGo expects Go to make the same bytes as Python, if Python's bytes keep the values.
func (l *randomList) makeInGo(t *testing.T, p *compat.Peer) {
	name, layout := newName(t), pyshm.Layout(p.Interpreter().Layout())
	ours, err := pyshm.CreateList(name, l.values, layout)
	if errors.Is(err, format.ErrTrailingNUL) {
		keepable := make([]any, len(l.values))
		for i, v := range l.values {
			keepable[i] = stripped(v)
		}
		if identical(keepable, l.values) {
			l.errorf(t, "Go refuses it: %v", err)
		}
		l.values = keepable
		ours, err = pyshm.CreateList(name, l.values, layout)
	}
	l.ours = must(ours, err)(t)
	if made := fileBytes(t, name); l.kept && !sameContent(made, l.inPython.bytes) {
		l.errorf(t, "Go wrote other bytes than Python\n%s", hexDiff(made, l.inPython.bytes))
	}
}

// change sets the items: Go in theirs, Python in ours. Go also sets them in a copy of
// ours in its own memory, to know the bytes that Python has to make.
func (l *randomList) change(t *testing.T, c *conversation) {
	copied := must(format.Encode(l.values, &format.Options{Layout: l.ours.Layout()}))(t)
	model := must(format.Attach(copied))(t)

	c.ask("", "attach_list", []any{l.variable("ours"), l.ours.Name()}, nil)
	before := observeInGo(t, l.ours)
	l.observe(c, "ours", func(o observation) { l.expect(t, o, before) })
	inOurs, inTheirs := slices.Clone(l.values), slices.Clone(l.inPython.items)
	for _, set := range l.sets {
		l.setAndExpect(t, l.theirs, set, inTheirs)
		refused := l.setAndExpect(t, model, set, inOurs)
		if refused == format.ErrTrailingNUL {
			continue // Python would store the value, and lose the NUL
		}
		c.ask(l.variable("ours"), "set", []any{set.index, set.value}, func(v any) {
			if tooLong := refused == format.ErrTooLong; (v == raised("ValueError")) != tooLong {
				l.errorf(t, "Python sets %v: %v, Go: %v", set, v, refused)
			}
		})
	}
	l.observe(c, "ours", func(o observation) {
		if !bytes.Equal(o.bytes, copied) {
			l.errorf(t, "Python has set %v to other bytes than Go\n%s", l.sets, hexDiff(o.bytes, copied))
		}
		if !identical(o.items, inOurs) {
			l.errorf(t, "after Python has set %v in Go's list it reads %s", l.sets, format.Repr(o.items))
		}
		l.expect(t, o, observeInGo(t, l.ours))
	})
	l.observe(c, "theirs", func(o observation) {
		if l.kept && !bytes.Equal(o.bytes, copied) {
			l.errorf(t, "Go has set %v in Python's list to other bytes than in its own\n%s", l.sets, hexDiff(o.bytes, copied))
		}
		if !identical(o.items, inTheirs) {
			l.errorf(t, "after Go has set %v in Python's list, Python reads %s", l.sets, format.Repr(o.items))
		}
	})
	for _, list := range []string{"ours", "theirs"} {
		c.ask(l.variable(list), "close", nil, nil)
		c.ask(l.variable(list), "unlink", nil, nil)
	}
}

// setAndExpect sets an item, and the same item in expected unless the value has to be
// refused. It returns the reason of a refusal.
func (l *randomList) setAndExpect(t *testing.T, list interface {
	Slot(int) (format.Slot, error)
	Set(int, any) error
}, set randomSet, expected []any) (refused error) {
	text, _ := textOf(set.value)
	switch slot := must(list.Slot(set.index))(t); {
	case bytes.HasSuffix(text, []byte{0}):
		refused = format.ErrTrailingNUL
	case len(text) > slot.Capacity:
		refused = format.ErrTooLong
	default:
		expected[set.index] = set.value
	}
	if err := list.Set(set.index, set.value); !errors.Is(err, refused) {
		l.errorf(t, "Go sets %v: %v, want %v", set, err, refused)
	}
	return refused
}

// expect compares a list as Python and as Go see it.
func (l *randomList) expect(t *testing.T, python, inGo observation) {
	t.Helper()
	switch {
	case !bytes.Equal(python.bytes, inGo.bytes):
		l.errorf(t, "Python sees other bytes than Go\n%s", hexDiff(python.bytes, inGo.bytes))
	case !identical(python.items, inGo.items):
		l.errorf(t, "Python reads %s\nGo %s", format.Repr(python.items), format.Repr(inGo.items))
	case python.format != inGo.format:
		l.errorf(t, "Format() = %s, in Python %s", inGo.format, python.format)
	case python.repr != inGo.repr:
		l.errorf(t, "String() = %s\nin Python %s", inGo.repr, python.repr)
	}
}

func (l *randomList) errorf(t *testing.T, text string, args ...any) {
	t.Helper()
	t.Errorf("%s\nin list %d of PYSHM_SEED=%d: %.2000s", fmt.Sprintf(text, args...), l.number, l.seed, format.Repr(l.values))
}

// variable returns the Python variable of one of the two lists. There are few variables,
// so that Python can forget their old values.
func (l *randomList) variable(which string) string {
	return fmt.Sprintf("%s%d", which, l.number%differentialBatch)
}

// An observation is a list as Python or Go sees it.
type observation struct {
	bytes  []byte
	format string
	repr   any   // a string, or raised
	items  []any // values, or raised
}

// observeInGo returns a list as Go sees it, with errors spelled as Python raises them.
func observeInGo(t *testing.T, l *pyshm.ShareableList) observation {
	t.Helper()
	o := observation{bytes: make([]byte, l.SharedMemory().Size()), format: l.Format(), repr: l.String(), items: goItems(l)}
	must(l.SharedMemory().ReadAt(o.bytes, 0))(t)
	for i, v := range o.items {
		if v == format.ErrUTF8 {
			o.items[i] = raised("UnicodeDecodeError")
			o.repr = o.items[i]
		}
	}
	return o
}

const observeSource = `
def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return [type(error).__name__]

def observe(sl):
    items = [attempt(sl.__getitem__, i) for i in range(len(sl))]
    return bytes(sl.shm.buf), sl.format, attempt(repr, sl), items
`

func (l *randomList) observe(c *conversation, which string, use func(observation)) {
	c.ask("", "eval", []any{fmt.Sprintf("observe(%s)", l.variable(which))}, func(v any) {
		seen := v.([]any)
		o := observation{bytes: seen[0].([]byte), format: seen[1].(string), repr: attempted(seen[2])}
		for _, item := range seen[3].([]any) {
			o.items = append(o.items, attempted(item))
		}
		use(o)
	})
}

// attempted returns the outcome that a result of the Python function attempt spells.
func attempted(v any) any {
	if exception, ok := v.([]any); ok {
		return raised(exception[0].(string))
	}
	return v
}

// A conversation collects requests, and the functions that use their results.
type conversation struct {
	requests []compat.Request
	uses     []func(v any)
}

// ask adds a request. If use is nil, the result must not be an exception.
func (c *conversation) ask(on, op string, args []any, use func(v any)) {
	c.requests = append(c.requests, compat.Request{On: on, Op: op, Args: args})
	c.uses = append(c.uses, use)
}

// take sends the requests and uses the results, in order.
func (c *conversation) take(t *testing.T, p *compat.Peer) {
	t.Helper()
	for i, reply := range must(p.Do(c.requests))(t) {
		if c.uses[i] == nil {
			check(t, reply.Err)
		} else {
			c.uses[i](outcome(reply.Value, reply.Err)(t))
		}
	}
}
