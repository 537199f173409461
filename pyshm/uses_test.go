package pyshm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// The tests of hostile memory, of faults and of races disturb a list in different ways
// and use it in the same way: they call every method, again and again. A method has to
// return an error that the test expects, or a value in the set.
//
// The set consists of words that can be recognised. A word has 5 random letters and 3
// that follow from these. Each place has its own letters, and none of them occurs in a
// format or a code or among the bytes of a table. A number is in the set if its 8 bytes
// are such a word. A str or bytes is in the set if each of its bytes has its place: it
// is copied byte by byte, so two words may mix. The set also has the values that Go
// itself stores besides words: 0, the rest of a slot behind a short str, and True.

const (
	wordLetters = 5
	wordChecks  = 8 - wordLetters
)

// letters has the 8 letters of each of the 8 places.
const letters = "!\"#$%&')(*+,-./:;<=>@ABCDEFGHIJKLMNOPQRTUVWXYZ[]^_`abcefghijkmno"

func letterAt(place, n int) byte { return letters[8*place+n] }

// wordFrom returns the word whose letters are chosen by 15 bits.
func wordFrom(r uint32) (word [8]byte) {
	for i := range wordLetters {
		word[i] = letterAt(i, int(r>>(3*i))&7)
	}
	check := (r & 0x7fff) * 2654435761 >> 20
	for i := range wordChecks {
		word[wordLetters+i] = letterAt(wordLetters+i, int(check>>(3*i))&7)
	}
	return word
}

func randomWord(r *rand.Rand) [8]byte { return wordFrom(r.Uint32()) }

// inSet reports whether the bits of a number are in the set.
func inSet(bits uint64) bool {
	var word [8]byte
	binary.NativeEndian.PutUint64(word[:], bits)
	if word == ([8]byte{}) || word == ([8]byte{7: 1}) {
		return true
	}
	r := uint32(0)
	for i := range wordLetters {
		n := slices.Index([]byte(letters[8*i:8*i+8]), word[i])
		if n < 0 {
			return false
		}
		r |= uint32(n) << (3 * i)
	}
	return word == wordFrom(r)
}

// textInSet is inSet for the bytes of a slot.
func textInSet[T string | []byte](text T) bool {
	for i := range len(text) {
		place := i % 8
		if b := text[i]; b != 0 && (b != 1 || place != 7) && slices.Index([]byte(letters[8*place:8*place+8]), b) < 0 {
			return false
		}
	}
	return true
}

// usedValues returns 8·groups values in the set: of all kinds, in slots of 8 to
// 72 bytes.
func usedValues(r *rand.Rand, groups int) []any {
	var values []any
	for i := range groups {
		word := binary.NativeEndian.Uint64(wordBytes(r, 1))
		values = append(values,
			int64(word), math.Float64frombits(word), i%2 == 0, nil,
			string(wordBytes(r, i%4)), wordBytes(r, 1+i%4), string(wordBytes(r, 2*(i%4))), wordBytes(r, 8))
	}
	return values
}

// wordBytes returns n words.
func wordBytes(r *rand.Rand, n int) []byte {
	var b []byte
	for range n {
		word := randomWord(r)
		b = append(b, word[:]...)
	}
	return b
}

// refusals are the errors that a method may return if only other users disturb the
// list. ErrBusy is among them because a user in the middle of a Set may have to wait
// for a processor.
var refusals = []error{format.ErrKind, format.ErrTooLong, format.ErrNotFound, format.ErrBusy}

func init() {
	if testkit.NamesFirst { // Alias, and on macOS Current
		refusals = append(refusals, errors.ErrUnsupported)
	}
}

// A user uses lists, and judges what it gets.
type user struct {
	t       testing.TB
	r       *rand.Rand
	allowed []error // errors that a method may return instead of a value
	results map[string]int
}

// tooLong is more time than a method may take. On a busy machine a goroutine may have
// to wait for seconds until it runs at all.
const tooLong = 20 * time.Second

func newUser(t testing.TB, seed uint64, number int, allowed ...error) *user {
	return &user{t: t, r: soak.Rand(seed, number), allowed: allowed, results: map[string]int{}}
}

// use calls one method, chosen at random.
func (u *user) use(l *pyshm.ShareableList) {
	m := listUses[u.r.IntN(len(listUses))]
	start := time.Now()
	err := m.call(u, l, u.r.IntN(l.Len()))
	if took := time.Since(start); took > tooLong {
		u.t.Errorf("%s took %v", m.method, took)
	}
	u.count(m.method, err)
}

// count counts a result, and fails the test if it is a forbidden error.
func (u *user) count(method string, err error) {
	u.results["operations"]++
	if err == nil {
		return
	}
	for _, allowed := range u.allowed {
		if errors.Is(err, allowed) {
			u.results[fmt.Sprintf("%q", allowed)]++
			return
		}
	}
	u.t.Errorf("%s: %v", method, err)
}

// report adds what the user did to a tally.
func (u *user) report(tally *soak.Tally) {
	for what, n := range u.results {
		tally.Add(what, n)
	}
}

// useUntil lets n users take steps, at the same time, until the time is up.
func useUntil(t *testing.T, end time.Time, seed uint64, n int, allowed []error, step func(u *user)) *soak.Tally {
	tally := new(soak.Tally)
	var running sync.WaitGroup
	for i := range n {
		u := newUser(t, seed, i, allowed...)
		running.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				step(u)
			}
			u.report(tally)
		})
	}
	running.Wait()
	return tally
}

// got fails the test if a value is not in the set.
func (u *user) got(method string, v any) {
	u.results["values"]++
	ok := true
	switch v := v.(type) {
	case int64:
		ok = inSet(uint64(v))
	case float64:
		ok = inSet(math.Float64bits(v))
	case string:
		ok = textInSet(v)
	case []byte:
		ok = textInSet(v)
	}
	if !ok {
		u.t.Errorf("%s: %s was never written", method, format.Repr(v))
	}
}

// A listUse calls one method of a list, on item i if it is about one.
type listUse struct {
	method string
	call   func(u *user, l *pyshm.ShareableList, i int) error
}

// reads makes a listUse of a method that returns the value of an item.
func reads[T any](method string, read func(l *pyshm.ShareableList, i int) (T, error)) listUse {
	return listUse{method, func(u *user, l *pyshm.ShareableList, i int) error {
		v, err := read(l, i)
		if err == nil {
			u.got(method, any(v))
		}
		return err
	}}
}

// finds makes a listUse of a method that looks for a value.
func finds(method string, find func(l *pyshm.ShareableList, v any) (int, error)) listUse {
	return listUse{method, func(u *user, l *pyshm.ShareableList, _ int) error {
		n, err := find(l, u.value())
		if n < 0 || n > l.Len() {
			u.t.Errorf("%s = %d in a list of %d items", method, n, l.Len())
		}
		return err
	}}
}

// copies makes a listUse of a method that copies many numbers.
func copies[T int64 | float64](method string, copyTo func(l *pyshm.ShareableList, dst []T, from int) (int, error)) listUse {
	return listUse{method, func(u *user, l *pyshm.ShareableList, i int) error {
		var dst [3]T
		n, err := copyTo(l, dst[:], i)
		for _, v := range dst[:n] {
			u.got(method, v)
		}
		return err
	}}
}

// views makes a listUse of a method that returns the memory of all items.
func views[T int64 | float64](method string, view func(l *pyshm.ShareableList) ([]T, error)) listUse {
	return listUse{method, func(u *user, l *pyshm.ShareableList, i int) error {
		items, err := view(l)
		if err != nil {
			return err
		}
		return l.SharedMemory().Guard(func() error {
			u.got(method, items[i])
			return nil
		})
	}}
}

// value returns a value in the set, of any kind.
func (u *user) value() any {
	switch u.r.IntN(6) {
	case 0:
		return u.int()
	case 1:
		return u.float()
	case 2:
		return u.r.IntN(2) == 0
	case 3:
		return string(wordBytes(u.r, u.r.IntN(4)))
	case 4:
		return wordBytes(u.r, u.r.IntN(4))
	default:
		return nil
	}
}

func (u *user) int() int64 { return int64(binary.NativeEndian.Uint64(wordBytes(u.r, 1))) }

func (u *user) float() float64 { return math.Float64frombits(uint64(u.int())) }

// listUses has every method of ShareableList.
var listUses = []listUse{
	reads("Get", (*pyshm.ShareableList).Get),
	reads("Int", (*pyshm.ShareableList).Int),
	reads("Float", (*pyshm.ShareableList).Float),
	reads("Bool", (*pyshm.ShareableList).Bool),
	reads("Str", (*pyshm.ShareableList).Str),
	reads("Bytes", (*pyshm.ShareableList).Bytes),
	reads("RawBytes", (*pyshm.ShareableList).RawBytes),
	reads("AppendStr", func(l *pyshm.ShareableList, i int) ([]byte, error) { return l.AppendStr(nil, i) }),
	finds("Index", (*pyshm.ShareableList).Index),
	finds("Count", (*pyshm.ShareableList).Count),
	copies("CopyInts", (*pyshm.ShareableList).CopyInts),
	copies("CopyFloats", (*pyshm.ShareableList).CopyFloats),
	views("ViewInts", (*pyshm.ShareableList).ViewInts),
	views("ViewFloats", (*pyshm.ShareableList).ViewFloats),
	{"Slot", func(u *user, l *pyshm.ShareableList, i int) error {
		slot, err := l.Slot(i)
		if err == nil && (slot.Offset < 0 || slot.Capacity < 8 || slot.Offset > l.SharedMemory().Size()-slot.Capacity || slot.Kind.String() == "invalid") {
			u.t.Errorf("Slot(%d) = %+v in %d bytes", i, slot, l.SharedMemory().Size())
		}
		return err
	}},
	{"Values", func(u *user, l *pyshm.ShareableList, _ int) error {
		values, err := l.Values()
		for _, v := range values {
			u.got("Values", v)
		}
		return err
	}},
	{"All", func(u *user, l *pyshm.ShareableList, _ int) (last error) {
		for v, err := range l.All() {
			if err != nil {
				last = err
				continue
			}
			u.got("All", v)
		}
		return last
	}},
	{"Batch", func(u *user, l *pyshm.ShareableList, i int) error {
		return l.Batch(func(l *format.List) error {
			v, err := l.Get(i)
			if err == nil {
				u.got("Batch", v)
			}
			return err
		})
	}},
	{"Check", func(u *user, l *pyshm.ShareableList, _ int) error { return l.Check() }},
	{"Format", func(u *user, l *pyshm.ShareableList, _ int) error {
		if n := len(l.Format()); n > 8*l.Len() {
			u.t.Errorf("Format has %d characters for %d items", n, l.Len())
		}
		return nil
	}},
	{"String", func(u *user, l *pyshm.ShareableList, _ int) error { _ = l.String(); return nil }},
	{"Set", func(u *user, l *pyshm.ShareableList, i int) error { return l.Set(i, u.value()) }},
	{"SetInt", func(u *user, l *pyshm.ShareableList, i int) error { return l.SetInt(i, u.int()) }},
	{"SetFloat", func(u *user, l *pyshm.ShareableList, i int) error { return l.SetFloat(i, u.float()) }},
	{"SetBool", func(u *user, l *pyshm.ShareableList, i int) error { return l.SetBool(i, u.r.IntN(2) == 0) }},
	{"SetStr", func(u *user, l *pyshm.ShareableList, i int) error {
		return l.SetStr(i, string(wordBytes(u.r, u.r.IntN(4))))
	}},
	{"SetBytes", func(u *user, l *pyshm.ShareableList, i int) error {
		return l.SetBytes(i, wordBytes(u.r, u.r.IntN(4)))
	}},
	{"SetNone", func(u *user, l *pyshm.ShareableList, i int) error { return l.SetNone(i) }},
	{"AddInt", func(u *user, l *pyshm.ShareableList, i int) error {
		sum, err := l.AddInt(i, 0) // another sum would not be in the set
		if err == nil {
			u.got("AddInt", sum)
		}
		return err
	}},
	{"CompareAndSwapInt", func(u *user, l *pyshm.ShareableList, i int) error {
		old, err := l.Int(i)
		if err == nil {
			_, err = l.CompareAndSwapInt(i, old, u.int())
		}
		return err
	}},
	{"Len", func(u *user, l *pyshm.ShareableList, _ int) error { _ = l.Len(); return nil }},
	{"Layout", func(u *user, l *pyshm.ShareableList, _ int) error { _ = l.Layout(); return nil }},
	{"Name", func(u *user, l *pyshm.ShareableList, _ int) error { _ = l.Name(); return nil }},
	{"Current", func(u *user, l *pyshm.ShareableList, _ int) error { _, err := l.Current(); return err }},
	{"SharedMemory", func(u *user, l *pyshm.ShareableList, _ int) error {
		m := l.SharedMemory()
		p := make([]byte, 16)
		if _, err := m.ReadAt(p, int64(u.r.IntN(m.Size()-len(p)+1))); err != nil {
			return err
		}
		return m.Guard(func() error { return nil })
	}},
}

// The uses have every method, except the methods that end the use.
func TestListUsesAreAll(t *testing.T) {
	var have []string
	for _, use := range listUses {
		have = append(have, use.method)
	}
	var want []string
	for method := range reflect.TypeFor[*pyshm.ShareableList]().Methods() {
		if method.Name != "Close" && method.Name != "Unlink" {
			want = append(want, method.Name)
		}
	}
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("uses of %q, methods %q", have, want)
	}
}

// The set has the written values, and none of the bytes between values.
func TestSet(t *testing.T) {
	for r := range uint32(1 << 15) {
		word := wordFrom(r)
		if !inSet(binary.NativeEndian.Uint64(word[:])) || !textInSet(word[:]) {
			t.Fatalf("%q is not in the set", word)
		}
	}
	for _, text := range []string{"q", "d", "xxxxxxx?", "xxxxxx?x", "8s", "24s", " ", "\x01", "\x02", "\x03", "\x08", "\x18\x01", "\x28"} {
		if textInSet(text) {
			t.Errorf("%q is in the set", text)
		}
	}
	mixed := 0
	r := soak.Rand(1, 1)
	for range 10000 {
		word, other := randomWord(r), randomWord(r)
		copy(word[:r.IntN(7)+1], other[:])
		if inSet(binary.NativeEndian.Uint64(word[:])) && word != other {
			mixed++
		}
	}
	if mixed > 500 {
		t.Errorf("%d of 10000 mixed words are in the set", mixed)
	}
}
