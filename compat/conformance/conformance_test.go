package conformance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestConformance compares Go with the interpreters of this machine, and the interpreters
// with this project's statements about them. Its parts are in the files of this folder.
// Each part has a table with a row for each fact, and shares real segments with a real
// Python.
func TestConformance(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Lists)
		testkit.Covers(t, py, covered.Blocks)
		p := startPython(t, py)
		for _, part := range []struct {
			name string
			test func(*testing.T, *compat.Peer)
		}{
			{"Values", testValues},
			{"Arguments", testArguments},
			{"LongestItem", testLongestItem},
			{"AppearingInGo", testAppearingInGo},
			{"AppearingInPython", testAppearingInPython},
			{"Set", testSet},
			{"Torn", testTorn},
			{"TornByGo", testTornByGo},
			{"NumbersWhole", testNumbersWhole},
			{"Foreign", testForeign},
			{"ForeignSet", testForeignSet},
			{"Indices", testIndices},
			{"IndexOfEmpty", testIndexOfEmpty},
			{"Search", testSearch},
			{"SearchUnreadable", testSearchUnreadable},
			{"Repr", testRepr},
			{"OtherLayout", testOtherLayout},
			{"ForgedCount", testForgedCount},
			{"Sizes", testSizes},
			{"Modes", testModes},
			{"Bytes", testBytes},
			{"Grown", testGrown},
			{"Struct", testStruct},
			{"Numpy", testNumpy},
			{"Names", testNames},
			{"GeneratedName", testGeneratedName},
			{"TakenAndMissing", testTakenAndMissing},
			{"Unlink", testUnlink},
		} {
			t.Run(part.name, func(t *testing.T) { part.test(t, p) })
		}
	})
}

// startPython starts a peer that has the variables of the tables' rows.
func startPython(t *testing.T, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer {
	t.Helper()
	p := start(t, py, options...)
	check(t, p.Exec(`
import array, ctypes, decimal, enum, fractions

class Int(int): pass
class Float(float): pass
class Str(str): pass
class Bytes(bytes): pass
class Number(enum.IntEnum): ONE = 1
`))
	return p
}

// newName returns a name for a segment, which is removed after the test.
func newName(t testing.TB) string {
	name := testkit.Name(t)
	if testkit.HasFiles {
		testkit.RemoveAfter(t, name)
	} else {
		t.Cleanup(func() { _ = pyshm.Unlink(name) }) // it may be gone
	}
	return name
}

// fileBytes returns the content of a segment as the system shows it, without a handle of
// Go or Python. Where segments are no files, it has whole pages.
func fileBytes(t testing.TB, name string) []byte {
	t.Helper()
	if !testkit.HasFiles {
		m := must(pyshm.Attach(name, pyshm.ReadOnly()))(t)
		defer m.Close()
		content := make([]byte, m.Size())
		must(m.ReadAt(content, 0))(t)
		return content
	}
	return must(os.ReadFile(fileOf(name)))(t)
}

// keepsNames reports that a segment stays when the last process has closed it.
const keepsNames = testkit.KeepsNames

// sameContent reports whether content, of whole pages perhaps, is want.
func sameContent(content, want []byte) bool {
	rest, ok := bytes.CutPrefix(content, want)
	return ok && (len(rest) == 0 || testkit.WholePages && len(bytes.Trim(rest, "\x00")) == 0)
}

// createList makes a list in Go, in the layout of the peer's Python, and closes it
// after the test.
func createList(t testing.TB, p *compat.Peer, values ...any) *pyshm.ShareableList {
	t.Helper()
	l := must(pyshm.CreateList(newName(t), values, pyshm.Layout(p.Interpreter().Layout())))(t)
	t.Cleanup(func() { l.Close() })
	return l
}

// attachList attaches Go to a list, and closes it after the test.
func attachList(t testing.TB, name string, options ...pyshm.AttachOption) *pyshm.ShareableList {
	t.Helper()
	l := must(pyshm.AttachList(name, options...))(t)
	t.Cleanup(func() { l.Close() })
	return l
}

// cpythonBytes encodes values exactly as the peer does, lost data included.
func cpythonBytes(t testing.TB, p *compat.Peer, values ...any) []byte {
	t.Helper()
	options := &format.Options{Layout: p.Interpreter().Layout(), CPythonSlots: true}
	return must(format.Encode(values, options))(t)
}

// raised stands for an exception of this type, in the place of a value of Python.
type raised string

// inGo returns the value that Go reads where Python reads v.
func inGo(v any) any {
	if v == raised("UnicodeDecodeError") {
		return format.ErrUTF8
	}
	return v
}

// exception returns r, or nil if r is empty, as execute does.
func exception(r raised) any {
	if r == "" {
		return nil
	}
	return r
}

// outcome returns the outcome of a peer's request: a value, or raised.
func outcome(v any, err error) func(testing.TB) any {
	if e, ok := errors.AsType[*compat.PythonError](err); ok {
		return func(testing.TB) any { return raised(e.Type) }
	}
	return must(v, err)
}

// execute returns the outcome of statements: nil, or raised.
func execute(t testing.TB, p *compat.Peer, statements string, args ...any) any {
	t.Helper()
	return outcome(nil, p.Exec(fmt.Sprintf(statements, args...)))(t)
}

// pythonItems reads each of a list's items: a value, or raised.
func pythonItems(t testing.TB, p *compat.Peer, l *compat.List) []any {
	t.Helper()
	requests := make([]compat.Request, must(l.Len())(t))
	for i := range requests {
		requests[i] = compat.Request{On: l.Var(), Op: "get", Args: []any{i}}
	}
	items := make([]any, len(requests))
	for i, reply := range must(p.Do(requests))(t) {
		items[i] = outcome(reply.Value, reply.Err)(t)
	}
	return items
}

// goItems reads each of a list's items: a value, or the reason why there is none.
func goItems(l *pyshm.ShareableList) []any {
	var items []any
	for v, err := range l.All() {
		if err != nil {
			v = reason(err)
		}
		items = append(items, v)
	}
	return items
}

// reason returns the sentinel that errors.Is finds in err.
func reason(err error) error {
	for _, sentinel := range []error{
		format.ErrCorrupt, format.ErrIncomplete, format.ErrIndex, format.ErrKind, format.ErrType,
		format.ErrRange, format.ErrTooLong, format.ErrTooLarge, format.ErrTrailingNUL, format.ErrUTF8,
		format.ErrBusy, format.ErrNotFound,
	} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return err
}

// identical reports whether values are of one type and equal to the last bit.
func identical(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, identical)
	default:
		return a == b
	}
}

// hexDiff shows two segments around the first byte in which they differ.
func hexDiff(got, want []byte) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	start := max(0, at&^15-16)
	return fmt.Sprintf("byte %#x of %d, want %d bytes; from %#x on\ngot:\n%swant:\n%s",
		at, len(got), len(want), start, hexWindow(got, start), hexWindow(want, start))
}

func hexWindow(b []byte, start int) string {
	start = min(start, len(b))
	return hex.Dump(b[start:min(start+64, len(b))])
}
