package pyshm_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A mortal is a process that does one thing over and over again until SIGKILL ends
// it, somewhere in the middle.
type mortal struct {
	name string
	// before is the list that exists at the start, or nil for none.
	before []any
	// begin returns the action to repeat. Its rounds count from 0.
	begin func(name string) (again func(n int) error, err error)
	// after checks and mends the segments that the process has left.
	after func(t *testing.T, k *killed)
}

// killed describes the state after a kill.
type killed struct {
	name   string   // of the segment
	names  []string // all of /dev/shm
	round  int
	list   *pyshm.ShareableList // the list of before,
	python *compat.Peer         // and a Python attached to it
	theirs *compat.List
	tally  *soak.Tally
}

var mortals = []mortal{
	{"Create", nil, begin(func(name string, n int) error {
		return gone(pyshm.Create(name, 100_000))
	}), wholeBlockOrNothing},
	{"CreateList", nil, begin(func(name string, n int) error {
		return gone(pyshm.CreateList(name, equalItems(n)))
	}), wholeListOrNothing},
	{"Replace", equalItems(-1), begin(func(name string, n int) error {
		return closed(pyshm.CreateList(name, equalItems(n), pyshm.Replace()))
	}), wholeListAndHidden},
	{"Alias", equalItems(-1), begin(func(name string, n int) error {
		m, err := pyshm.Attach(name)
		if err != nil {
			return err
		}
		alias, err := m.Alias()
		return errors.Join(err, m.Close(), pyshm.Unlink(alias))
	}), wholeListAndAlias},
	{"Close", equalItems(-1), begin(func(name string, n int) error {
		m, err := pyshm.Attach(name)
		if err == nil && n%2 == 0 {
			m.Bytes()
		}
		return closed(m, err)
	}), wholeList},
	{"Unlink", equalItems(-1), begin(func(name string, n int) error {
		return errors.Join(os.Link(pathOf(name), pathOf(name+"_link")), pyshm.Unlink(name+"_link"))
	}), wholeListAndLink},
	{"Set same kind", numbers[0], beginSet(func(l *pyshm.ShareableList, n int) error {
		return errors.Join(l.Set(0, numbers[n%2][0]), l.Set(1, numbers[n%2][1]), l.Set(2, numbers[n%2][2]))
	}), oldOrNewNumbers},
	{"Set text", []any{texts[0], "neighbour"}, beginSet(func(l *pyshm.ShareableList, n int) error {
		return l.Set(0, texts[n%2])
	}), oldNewOrBusy(texts)},
	{"Set other kind", []any{format.Sized{Value: "", Capacity: 24}, "neighbour"}, beginSet(func(l *pyshm.ShareableList, n int) error {
		return l.Set(0, kinds[n%len(kinds)])
	}), oldNewOrBusy(kinds)},
}

const wordA, wordB = int64(0x1111_1111_1111_1111), int64(-0x2222_2222_2222_2222)

var (
	numbers = [2][]any{{wordA, 2.5, false}, {wordB, -1e100, true}}
	texts   = []any{strings.Repeat("a", 60_000), strings.Repeat("b", 50_001)}
	kinds   = []any{wordA, "text of 24 bytes exactly", 2.5, []byte("\x00bytes"), true, "", nil, wordB}
)

// equalItems is a list that shows whether it is complete: all its ints are n.
func equalItems(n int) []any {
	return append(slices.Repeat([]any{int64(n)}, 1000), "the end")
}

func begin(again func(name string, n int) error) func(name string) (func(n int) error, error) {
	return func(name string) (func(n int) error, error) {
		return func(n int) error { return again(name, n) }, nil
	}
}

func beginSet(again func(l *pyshm.ShareableList, n int) error) func(name string) (func(n int) error, error) {
	return func(name string) (func(n int) error, error) {
		l, err := pyshm.AttachList(name)
		return func(n int) error { return again(l, n) }, err
	}
}

func init() {
	testkit.Roles["mortal"] = func(args []string, end <-chan string) error {
		m := mortals[slices.IndexFunc(mortals, func(m mortal) bool { return m.name == args[0] })]
		again, err := m.begin(args[1])
		if err != nil {
			return err
		}
		fmt.Println("ready")
		for n := 0; ; n++ {
			if err := again(n); err != nil {
				return err
			}
			select {
			case <-end:
				return nil
			default:
			}
		}
	}
}

// TestKilled kills processes at random points of their work. They leave either nothing
// or a complete segment. In an item they leave the old value, the new one, or a busy
// item until it is set again.
func TestKilled(t *testing.T) {
	if !testkit.InPrivateShm(t, 16<<20) {
		return
	}
	seed := soak.Seed(t)
	python := startPython(t)
	for i, m := range mortals {
		t.Run(m.name, func(t *testing.T) {
			k := &killed{name: testkit.Name(t), python: python, tally: new(soak.Tally)}
			if m.before != nil {
				k.attach(t, createNamed(t, k.name, m.before, layoutOf(python)))
			}
			r := soak.Rand(seed, i)
			for k.round = range soak.Length(4, 250) {
				c := testkit.StartChild(t, "mortal", m.name, k.name)
				c.Line(t)
				time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
				c.Kill(t)
				k.tally.Add("kills", 1)
				k.names = testkit.Names(t)
				if m.after(t, k); t.Failed() {
					t.Fatalf("in round %d", k.round)
				}
			}
			t.Log(k.tally)
		})
	}
}

// createNamed creates a list that exists until the end of the test.
func createNamed(t *testing.T, name string, values []any, opts ...pyshm.ListOption) *pyshm.ShareableList {
	l, err := pyshm.CreateList(name, values, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		if err := pyshm.Unlink(name); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (k *killed) attach(t *testing.T, l *pyshm.ShareableList) {
	theirs, err := k.python.AttachList(l.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	k.list, k.theirs = l, theirs
}

func wholeBlockOrNothing(t *testing.T, k *killed) {
	if !k.thereOrNot(t) {
		return
	}
	m := attach(t, k.name)
	if m.Size() != 100_000 || stat(t, k.name).Blocks*512 < 100_000 {
		t.Errorf("a block of %d bytes, of which %d are there", m.Size(), stat(t, k.name).Blocks*512)
	}
	want(t, m, strings.Repeat("\x00", m.Size()), 0)
	if err := errors.Join(m.Close(), m.Unlink()); err != nil {
		t.Error(err)
	}
}

func wholeListOrNothing(t *testing.T, k *killed) {
	if k.thereOrNot(t) {
		k.wantWhole(t, k.name)
		if err := pyshm.Unlink(k.name); err != nil {
			t.Error(err)
		}
	}
}

// thereOrNot reports whether the segment exists, and fails the test if other names do.
func (k *killed) thereOrNot(t *testing.T) bool {
	if len(k.names) == 0 {
		k.tally.Add("nothing left", 1)
		return false
	}
	if !slices.Equal(k.names, []string{k.name}) {
		t.Fatalf("%q are left", k.names)
	}
	k.tally.Add("complete", 1)
	return true
}

func wholeList(t *testing.T, k *killed) {
	k.wantWhole(t, k.name)
	if !slices.Equal(k.names, []string{k.name}) {
		t.Errorf("%q are left", k.names)
	}
}

// wantWhole fails the test unless equalItems has made the list.
func (k *killed) wantWhole(t *testing.T, name string) {
	l, err := pyshm.AttachList(name)
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Close()
	n, errInt := l.Int(0)
	values, errValues := l.Values()
	if err := errors.Join(errInt, errValues, l.Check()); err != nil || !slices.Equal(values, equalItems(int(n))) {
		t.Errorf("%s is not complete: %v, %.100v", name, err, values)
	}
}

// A process that dies between the two steps of Replace leaves the new segment under
// a hidden name, which the next Replace removes.
func wholeListAndHidden(t *testing.T, k *killed) {
	k.wantWhole(t, k.name)
	for _, name := range k.others() {
		if !strings.HasPrefix(name, ".pyshm-") {
			t.Errorf("%s is left", name)
		}
		k.tally.Add("hidden name left", 1)
		k.wantWhole(t, name)
		if err := closed(pyshm.CreateList(k.name, equalItems(k.round), pyshm.Replace())); err != nil {
			t.Error(err)
		}
		testkit.WantNames(t, k.name)
	}
}

func wholeListAndAlias(t *testing.T, k *killed) {
	k.wantWhole(t, k.name)
	k.wantLinks(t, "psm_", "alias left")
}

func wholeListAndLink(t *testing.T, k *killed) {
	k.wantWhole(t, k.name)
	k.wantLinks(t, k.name+"_link", "link left")
}

// wantLinks fails the test unless every other name has this prefix and leads to the
// segment. It removes these names.
func (k *killed) wantLinks(t *testing.T, prefix, what string) {
	for _, name := range k.others() {
		if !strings.HasPrefix(name, prefix) || stat(t, name).Ino != stat(t, k.name).Ino {
			t.Errorf("%s is left", name)
		}
		k.tally.Add(what, 1)
		os.Remove(pathOf(name))
	}
}

// others returns the names besides the segment's own.
func (k *killed) others() []string {
	return slices.DeleteFunc(k.names, func(name string) bool { return name == k.name })
}

func oldOrNewNumbers(t *testing.T, k *killed) {
	for i := range numbers[0] {
		v, err := k.list.Get(i)
		if err != nil || v != numbers[0][i] && v != numbers[1][i] {
			t.Errorf("item %d reads %v, %v", i, v, err)
		}
		k.wantPython(t, i, v)
	}
	k.tally.Add("old or new", 1)
}

// oldNewOrBusy expects that item 0 has one of the values or is busy. Python raises an
// exception for a busy item. The next Set, by Go or Python, makes the item good.
func oldNewOrBusy(values []any) func(t *testing.T, k *killed) {
	return func(t *testing.T, k *killed) {
		v, err := k.list.Get(0)
		_, errPython := k.theirs.Get(0)
		var exception *compat.PythonError
		switch {
		case err == nil:
			k.tally.Add("old or new", 1)
			if !slices.ContainsFunc(values, func(w any) bool { return format.Repr(w) == format.Repr(v) }) {
				t.Errorf("reads %.100v, which was never written", v)
			}
			k.wantPython(t, 0, v)
		case !errors.Is(err, format.ErrBusy):
			t.Error(err)
		case !errors.As(errPython, &exception) || exception.Type != "ValueError":
			t.Errorf("the item is busy, and Python raises %v", errPython)
		default:
			k.tally.Add("busy", 1)
			k.mend(t, values[k.round%len(values)])
		}
		k.wantPython(t, 1, "neighbour")
	}
}

// mend sets item 0, and checks that Go and Python can read it then.
func (k *killed) mend(t *testing.T, v any) {
	set := k.list.Set
	if k.round%2 == 1 {
		set = k.theirs.Set
	}
	if err := set(0, v); err != nil {
		t.Error(err)
	}
	if got, err := k.list.Get(0); err != nil || format.Repr(got) != format.Repr(v) {
		t.Errorf("set to %.100v, it reads %.100v, %v", v, got, err)
	}
	k.wantPython(t, 0, v)
}

func (k *killed) wantPython(t *testing.T, i int, want any) {
	t.Helper()
	if got, err := k.theirs.Get(i); err != nil || format.Repr(got) != format.Repr(want) {
		t.Errorf("Python reads %.100v, %v in item %d; Go reads %.100v", got, err, i, want)
	}
}
