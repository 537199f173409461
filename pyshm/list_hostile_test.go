package pyshm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A hostileList is everyKind after another process has written to it.
type hostileList struct {
	name   string
	layout format.Layout
	change func(b []byte, at listParts)
}

// listParts has the offsets of the areas of a list of everyKind.
type listParts struct{ table, data, formats, codes int }

func partsOf(l *format.List) (at listParts) {
	first, _ := l.Slot(0)
	last, _ := l.Slot(l.Len() - 1)
	at = listParts{table: 8, data: first.Offset, formats: last.Offset + last.Capacity}
	at.codes = at.formats + 8*l.Len()
	return at
}

var hostileLists = []hostileList{
	{"untouched", format.Offsets, func([]byte, listParts) {}},
	{"untouched sizes", format.Sizes, func([]byte, listParts) {}},
	{"overlapping slots", format.Offsets, func(b []byte, at listParts) {
		size := at.formats - at.data
		for i := range everyKind {
			putWord(b, at.table+8*i, i%2*size)
			copy(b[at.formats+8*i:], fmt.Sprintf("%ds\x00", size))
			b[at.codes+i] = 1
		}
		copy(b[at.data:at.formats], strings.Repeat("a", size))
	}},
	{"an offset of another item", format.Offsets, func(b []byte, at listParts) { putWord(b, at.table+8*3, 8) }},
	{"an odd offset", format.Offsets, func(b []byte, at listParts) { putWord(b, at.table+8*2, 15) }},
	{"an offset beyond the data", format.Offsets, func(b []byte, at listParts) { putWord(b, at.table+8*4, 1<<30) }},
	{"another end", format.Offsets, func(b []byte, at listParts) { putWord(b, at.table+8*6, 8) }},
	{"another count", format.Offsets, func(b []byte, at listParts) { putWord(b, 0, 2) }},
	{"another size", format.Sizes, func(b []byte, at listParts) { putWord(b, at.table+8, 16) }},
	{"an unknown format", format.Offsets, func(b []byte, at listParts) { copy(b[at.formats+8:], "z\x00") }},
	{"a format that is too long", format.Sizes, func(b []byte, at listParts) { copy(b[at.formats+8*4:], "9s\x00") }},
	{"an unknown code", format.Offsets, func(b []byte, at listParts) { b[at.codes+2] = 9 }},
	{"the code of text", format.Offsets, func(b []byte, at listParts) { b[at.codes] = 1 }},
	{"a Set that has not ended", format.Offsets, func(b []byte, at listParts) { copy(b[at.formats+8*4:], " \x00\x00") }},
	{"text that is not UTF-8", format.Sizes, func(b []byte, at listParts) { b[at.formats-16] = 0xff }},
	{"all bits set", format.Offsets, func(b []byte, at listParts) {
		for i := range b {
			b[i] = 0xff
		}
	}},
	{"all bits clear", format.Sizes, func(b []byte, at listParts) { clear(b) }},
}

func putWord(b []byte, off, v int) { binary.NativeEndian.PutUint64(b[off:], uint64(v)) }

// TestHostileListsAreAlike calls every method of format.List and the method of
// ShareableList that has its name, on the same bytes. Both return the same values or
// the same error, and leave the same bytes.
func TestHostileListsAreAlike(t *testing.T) {
	t.Parallel()
	testkit.NeedKeptNames(t)
	for _, hostile := range hostileLists {
		t.Run(hostile.name, func(t *testing.T) {
			t.Parallel()
			clean, err := format.Encode(everyKind, &format.Options{Layout: hostile.layout})
			noError(t, err)
			bare, err := format.Attach(clean)
			noError(t, err)
			guarded := createList(t, everyKind, pyshm.Layout(hostile.layout))
			memory := guarded.SharedMemory().Bytes()
			hostile.change(clean, partsOf(bare))
			start := append([]byte(nil), clean...)
			for method := range reflect.TypeFor[*format.List]().Methods() {
				if method.Name == "WithPatience" {
					continue
				}
				for _, args := range arguments(method.Type) {
					copy(clean, start)
					copy(memory, start)
					want, wantErr := results(reflect.ValueOf(bare).MethodByName(method.Name), args)
					got, gotErr := results(reflect.ValueOf(guarded).MethodByName(method.Name), args)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s%v (-bare +guarded):\n%s", method.Name, args, diff)
					}
					if diff := cmp.Diff(wantErr, gotErr); diff != "" {
						t.Errorf("%s%v: errors (-bare +guarded):\n%s", method.Name, args, diff)
					}
					if diff := cmp.Diff(clean, memory); diff != "" {
						t.Errorf("%s%v: memory (-bare +guarded):\n%s", method.Name, args, diff)
					}
				}
			}
		})
	}
}

// arguments returns arguments for a method of a list: each index, with one value of each
// type.
func arguments(method reflect.Type) (calls [][]any) {
	for index := -1; index <= len(everyKind); index++ {
		var args []any
		indexed := false
		for i := 1; i < method.NumIn(); i++ {
			switch in := method.In(i); in {
			case reflect.TypeFor[int]():
				args, indexed = append(args, index), true
			case reflect.TypeFor[any]():
				args = append(args, 1.5)
			case reflect.TypeFor[string]():
				args = append(args, "new")
			case reflect.TypeFor[[]int64](), reflect.TypeFor[[]float64](), reflect.TypeFor[[]byte]():
				args = append(args, reflect.MakeSlice(in, 3, 3).Interface())
			default:
				args = append(args, reflect.Zero(in).Interface())
			}
		}
		calls = append(calls, args)
		if !indexed {
			break
		}
	}
	return calls
}

// results calls a method and returns its values and errors. The errors have the texts of
// package format. Errors of an iterator and of the method itself are in one list.
func results(method reflect.Value, args []any) (values []any, errs []string) {
	in := make([]reflect.Value, len(args))
	for i, arg := range args {
		in[i] = reflect.ValueOf(arg)
	}
	add := func(v any) {
		err, isError := v.(error)
		var e *pyshm.Error
		switch {
		case !isError:
			values = append(values, v)
		case errors.As(err, &e):
			errs = append(errs, e.Err.Error())
		default:
			errs = append(errs, err.Error())
		}
	}
	for _, out := range method.Call(in) {
		if all, ok := out.Interface().(iter.Seq2[any, error]); ok {
			for v, err := range all {
				add(v)
				add(err)
			}
			continue
		}
		add(out.Interface())
	}
	return values, errs
}

// An iterator from Batch is guarded also if iter.Pull runs it on another goroutine.
func TestBatchGuardsPulledIterator(t *testing.T) {
	testkit.NeedFaultAddress(t)
	testkit.NeedLinux(t)
	list := createList(t, []any{1, 2})
	first, late := any(nil), any(nil)
	err := list.Batch(func(l *format.List) error {
		next, stop := iter.Pull2(l.All())
		defer stop()
		first, _, _ = next()
		if err := os.Truncate(pathOf(list.Name()), 0); err != nil {
			return err
		}
		late, _, _ = next()
		return nil
	})
	if first != int64(1) || late != nil || !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("%v, %v, %v", first, late, err)
	}
}
