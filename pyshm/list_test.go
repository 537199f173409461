package pyshm_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// The guarded list has the methods of the bare one.
func TestListHasFormatsMethods(t *testing.T) {
	guarded := reflect.TypeFor[*pyshm.ShareableList]()
	bare := reflect.TypeFor[*format.List]()
	for method := range bare.Methods() {
		if method.Name == "WithPatience" { // its result would be unguarded
			continue
		}
		other, ok := guarded.MethodByName(method.Name)
		if !ok {
			t.Errorf("ShareableList has no %s", method.Name)
			continue
		}
		if got, want := signature(other), signature(method); got != want {
			t.Errorf("%s is %s, of format.List %s", method.Name, got, want)
		}
	}
}

// signature prints a method's parameters and results without the receiver.
func signature(m reflect.Method) string {
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic()).String()
}

func TestListCreateAttach(t *testing.T) {
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		l := createList(t, everyKind, pyshm.Layout(layout))
		other, err := pyshm.AttachList("/" + l.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := l.Set(0, "new"); err != nil {
			t.Fatal(err)
		}
		if _, err := other.AddInt(0, 1); !errors.Is(err, format.ErrKind) {
			t.Errorf("AddInt on a str: %v", err)
		}
		got, err := other.Values()
		want := append([]any{"new"}, everyKind[1:]...)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v: Values: %v\n%s", layout, err, diff)
		}
		if other.Layout() != layout || other.Len() != len(want) {
			t.Errorf("attached to %d items in %v, want %v", other.Len(), other.Layout(), layout)
		}
		if got, want := other.Format(), "8sdxxxxxxx?xxxxxx?x8s8s"; got != want {
			t.Errorf("Format() = %q, want %q", got, want)
		}
	}
}

func TestListOf(t *testing.T) {
	name := testkit.Name(t)
	l, err := pyshm.CreateListOf(name, []float64{0.5, 2, -3})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlink()
	defer l.Close()
	view, err := l.ViewFloats()
	if err != nil {
		t.Fatal(err)
	}
	view[1] = 7
	if got, err := l.Float(1); got != 7 || err != nil {
		t.Errorf("Float(1) = %v, %v after a write through the view", got, err)
	}
	if _, err := l.ViewInts(); !errors.Is(err, format.ErrKind) {
		t.Errorf("ViewInts of floats: %v", err)
	}
}

// A number in a slot that once held a longer str cannot be an element of an array.
func TestListViewNeedsEqualSlots(t *testing.T) {
	l := createList(t, []any{1, "a longer string", 3})
	if err := l.SetInt(1, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ViewInts(); !errors.Is(err, format.ErrKind) {
		t.Errorf("ViewInts: %v", err)
	}
}

func TestListString(t *testing.T) {
	l := createList(t, []any{1, "it's", nil})
	if got, want := l.String(), `ShareableList([1, "it's", None], name='`+l.Name()+`')`; got != want {
		t.Errorf("String() = %s, want %s", got, want)
	}
}

func TestListReadOnly(t *testing.T) {
	l := createList(t, everyKind)
	r, err := pyshm.AttachList(l.Name(), pyshm.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, err := range map[string]error{
		"SetInt": r.SetInt(0, 1),
		"SetStr": r.SetStr(4, "x"),
		"Batch":  r.Batch(func(l *format.List) error { return l.SetNone(0) }),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.AddInt(0, 1); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("AddInt: %v", err)
	}
	if got, err := r.Int(0); got != -2 || err != nil {
		t.Errorf("Int(0) = %d, %v", got, err)
	}
}

// Every method of a truncated, a closed or a zero list returns an error.
func TestListMethodsFail(t *testing.T) {
	testkit.NeedLinux(t)
	closed := createList(t, everyKind)
	closed.Close()
	type row struct {
		name string
		l    *pyshm.ShareableList
		want error
	}
	rows := []row{{"closed", closed, fs.ErrClosed}, {"zero", new(pyshm.ShareableList), fs.ErrClosed}}
	if testkit.HasFaultAddress(t) {
		truncated := createList(t, everyKind)
		if err := os.Truncate(pathOf(truncated.Name()), 0); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{"truncated", truncated, pyshm.ErrFault})
	}
	for _, test := range rows {
		v := reflect.ValueOf(test.l)
		for method := range v.Type().Methods() {
			n := method.Type.NumOut()
			switch method.Name {
			case "Close", "Unlink", "Current", "CopyInts", "CopyFloats", "Batch": // tested below or elsewhere
				continue
			}
			if n == 0 || method.Type.Out(n-1) != reflect.TypeFor[error]() {
				continue
			}
			args := []reflect.Value{v}
			for i := 1; i < method.Type.NumIn(); i++ {
				arg := reflect.Zero(method.Type.In(i))
				if arg.Kind() == reflect.Interface {
					arg = reflect.ValueOf(any(1)) // Set, Index, Count
				}
				args = append(args, arg)
			}
			out := method.Func.Call(args)
			if err, _ := out[n-1].Interface().(error); !errors.Is(err, test.want) {
				t.Errorf("%s: %s: %v", test.name, method.Name, err)
			}
		}
		if n, err := test.l.CopyInts(make([]int64, 1), 0); n != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: CopyInts: %d, %v", test.name, n, err)
		}
		if n, err := test.l.CopyFloats(make([]float64, 1), 0); n != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: CopyFloats: %d, %v", test.name, n, err)
		}
		err := test.l.Batch(func(l *format.List) error { return l.SetInt(0, 1) })
		if !errors.Is(err, test.want) {
			t.Errorf("%s: Batch: %v", test.name, err)
		}
		yielded := 0
		for _, err := range test.l.All() {
			if yielded++; !errors.Is(err, test.want) {
				t.Errorf("%s: All: %v", test.name, err)
			}
		}
		if yielded == 0 {
			t.Errorf("%s: All yielded nothing", test.name)
		}
		if test.l.Format() != "" {
			t.Errorf("%s: Format() = %q", test.name, test.l.Format())
		}
	}
}

func TestListErrorsNameSegmentAndItem(t *testing.T) {
	l := createList(t, everyKind)
	for _, test := range []struct {
		err  error
		want string
	}{
		{l.SetStr(4, "123456789"), `pyshm: set item 4 of "` + l.Name() + `": value exceeds the slot: 9 bytes, the slot has 8`},
		{l.Set(9, 1), `pyshm: set item 9 of "` + l.Name() + `": index out of range: 9 with length 6`},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", test.err, test.want)
		}
	}
}

func TestListRefusedCreateLeavesNothing(t *testing.T) {
	name := testkit.Name(t)
	if _, err := pyshm.CreateList(name, []any{1, "ends in NUL\x00"}); !errors.Is(err, format.ErrTrailingNUL) {
		t.Errorf("CreateList: %v", err)
	}
	if _, err := os.Stat(pathOf(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

// AttachListContext waits while CPython is between the steps of creating a list.
func TestListAwaitsCreation(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t)
	defer os.Remove(pathOf(name))
	complete, err := format.Encode(everyKind, nil)
	if err != nil {
		t.Fatal(err)
	}
	codes := len(complete) - len(everyKind)
	formats := codes - 8*len(everyKind)
	go func() {
		f, err := os.OpenFile(pathOf(name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		for _, step := range []func() error{
			func() error { return f.Truncate(int64(len(complete))) },
			func() error { _, err := f.WriteAt(complete[:formats], 0); return err },
			func() error { _, err := f.WriteAt(complete[formats:codes], int64(formats)); return err },
			func() error { _, err := f.WriteAt(complete[codes:], int64(codes)); return err },
		} {
			time.Sleep(20 * time.Millisecond)
			if err := step(); err != nil {
				t.Error(err)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := pyshm.AttachListContext(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := l.Values()
	if diff := cmp.Diff(everyKind, got); diff != "" || err != nil {
		t.Errorf("Values: %v\n%s", err, diff)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pyshm.AttachListContext(canceled, testkit.Name(t)); !errors.Is(err, context.Canceled) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing list: %v", err)
	}
}

// A writer that died in the middle of a Set must not keep others from attaching.
func TestListAwaitsNoDeadWriter(t *testing.T) {
	t.Parallel()
	l := createList(t, []any{1, "left"})
	slot, err := l.Slot(1)
	if err != nil {
		t.Fatal(err)
	}
	formats := int64(slot.Offset + slot.Capacity)
	if _, err := l.SharedMemory().WriteAt([]byte(" \x00"), formats+8); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	other, err := pyshm.AttachListContext(ctx, l.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if v, err := other.Int(0); v != 1 || err != nil {
		t.Errorf("Int(0) = %d, %v", v, err)
	}
	if _, err := other.Get(1); !errors.Is(err, format.ErrBusy) {
		t.Errorf("Get(1): %v", err)
	}
}

// After a fault, the caller of AppendStr still has the slice to append to.
func TestAppendStrToTruncated(t *testing.T) {
	testkit.NeedFaultAddress(t)
	testkit.NeedLinux(t)
	l := createList(t, []any{"abc"})
	if err := os.Truncate(pathOf(l.Name()), 0); err != nil {
		t.Fatal(err)
	}
	if out, err := l.AppendStr([]byte("mine"), 0); string(out) != "mine" || !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("%q, %v", out, err)
	}
}

// All ends with an error when the list is closed.
func TestListAllIsClosed(t *testing.T) {
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		l := createList(t, everyKind, pyshm.Layout(layout))
		var got []any
		for v, err := range l.All() {
			got = append(got, v, errors.Is(err, fs.ErrClosed))
			if len(got) == 4 {
				l.Close()
			}
		}
		if diff := cmp.Diff([]any{int64(-2), false, 1.5, false, nil, true}, got); diff != "" {
			t.Errorf("%v: %s", layout, diff)
		}
	}
}

// All waits for one broken item to settle, and not for every one.
func TestListAllOfBrokenItems(t *testing.T) {
	for word, want := range map[string]error{"zz": format.ErrCorrupt, " ": format.ErrBusy} {
		l := createList(t, slices.Repeat([]any{1}, 4000))
		formats := l.SharedMemory().Bytes()[16+2*8*l.Len():]
		for i := range l.Len() {
			copy(formats[8*i:], word+"\x00")
		}
		began := time.Now()
		for _, err := range l.All() {
			if !errors.Is(err, want) {
				t.Fatalf("%q: %v", word, err)
			}
		}
		if took := time.Since(began); took > 5*time.Second { // 20 s if it waited for each
			t.Errorf("%q: took %v", word, took)
		}
	}
}

func BenchmarkListInt(b *testing.B) {
	l := createList(b, []any{1, 2})
	for b.Loop() {
		l.Int(1)
	}
}

func BenchmarkListBatchInt(b *testing.B) {
	l := createList(b, []any{1, 2})
	l.Batch(func(l *format.List) error {
		for b.Loop() {
			l.Int(1)
		}
		return nil
	})
}
