package format_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

// A split list has its parts on pages of their own, so that a test can forbid
// stores to some:
//
//	page 0 … data-1   count, table, and the first slot, which fills up the pages
//	     data         the slot of item 1
//	     … formats    the last slot, which fills up the pages, and format words
//	     codes        codes
type split struct {
	mem                  memory
	buf                  []byte
	data, formats, codes int // pages
}

// splitList makes a list whose item 1 is value, between two long strings.
func splitList(t *testing.T, layout format.Layout, value any) split {
	t.Helper()
	filler := format.Sized{Value: "", Capacity: 2 * pageSize}
	b := encode(t, layout, filler, value, filler)
	p := areasOf(b, layout)
	mem, buf, codes := mapAt(t, b, p.codes)
	return split{
		mem: mem, buf: buf,
		data:    codes - (p.codes-p.data-2*pageSize+pageSize-1)/pageSize,
		formats: codes - 1,
		codes:   codes,
	}
}

// item returns the slot, format word and code of item 1 in memory.
func (s split) item(layout format.Layout) string {
	p := areasOf(s.buf, layout)
	slot := p.data + int(getWord(s.buf, 8)) // in Sizes the first slot's size
	if layout == format.Offsets {
		slot = p.data + int(getWord(s.buf, 16))
	}
	return fmt.Sprintf("%q %q %d", s.buf[slot:slot+8], s.buf[p.formats+8:p.formats+16], s.buf[p.codes+1])
}

// A Set that keeps a number's kind stores to the slot and nowhere else.
func TestSetKeepingKindSparesHeader(t *testing.T) {
	for _, tt := range []struct{ old, new any }{
		{1, 2}, {1.5, 2.5}, {false, true}, {nil, nil},
	} {
		inLayouts(t, func(t *testing.T, layout format.Layout) {
			s := splitList(t, layout, tt.old)
			s.mem.protect(t, 0, s.data, syscall.PROT_READ)
			s.mem.protect(t, s.data+1, s.codes+1, syscall.PROT_READ)
			l := attach(t, s.buf)
			err := s.mem.faulting(func() error { return l.Set(1, tt.new) })
			got, getErr := l.Get(1)
			if err != nil || getErr != nil || !format.Equal(got, tt.new) {
				t.Errorf("%v over %v: %v; reads %v, %v", tt.new, tt.old, err, got, getErr)
			}
			if tt.old == 1 {
				if err := s.mem.faulting(func() error { _, err := l.AddInt(1, 1); return err }); err != nil {
					t.Errorf("AddInt: %v", err)
				}
				if err := s.mem.faulting(func() error { _, err := l.CompareAndSwapInt(1, 3, 4); return err }); err != nil {
					t.Errorf("CompareAndSwapInt: %v", err)
				}
			}
		})
	}
}

// Reading and checking store nothing at all.
func TestReadingStoresNothing(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		s := splitList(t, layout, 1)
		s.mem.protect(t, 0, s.codes+1, syscall.PROT_READ)
		err := s.mem.faulting(func() error {
			l, err := format.Attach(s.buf)
			if err != nil {
				return err
			}
			if _, err := l.Count(1); err != nil {
				return err
			}
			if _, err := l.Values(); err != nil {
				return err
			}
			return l.Check()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A Set stopped half-way, here by a page that cannot be written, leaves an item
// that reads as the old value or is busy. The list can still be attached, and the next
// Set mends the item.
func TestSetStopped(t *testing.T) {
	const blank = `" \x00\x00\x00\x00\x00\x00\x00"`
	changes := []struct {
		old, new       any
		slots          [2]string // the first 8 bytes before and after
		format         string
		oldCode, codes int
	}{
		{"old", "new", [2]string{"old", "new"}, "8s", 1, 1},
		{"old", []byte("new"), [2]string{"old", "new"}, "8s", 1, 2},
		{"old", 5, [2]string{"old", words(5)}, "8s", 1, 0},
		{5, "new", [2]string{words(5), "new"}, "q", 0, 1},
		{5, true, [2]string{words(5), "\x00\x00\x00\x00\x00\x00\x00\x01"}, "q", 0, 0},
		{true, nil, [2]string{"\x00\x00\x00\x00\x00\x00\x00\x01", words(0)}, "xxxxxxx?", 0, 3},
		{nil, 5, [2]string{words(0), words(5)}, "xxxxxx?x", 3, 0},
	}
	for _, tt := range changes {
		oldItem := fmt.Sprintf("%q %q %d", padded(tt.slots[0]), padded(tt.format), tt.oldCode)
		for _, stop := range []struct {
			at   string
			page func(s split) int
			want string // the item's bytes, "" if this change does not stop there
		}{
			{"format", func(s split) int { return s.formats }, oldItem},
			{"slot", func(s split) int { return s.data }, fmt.Sprintf("%q %s %d", padded(tt.slots[0]), blank, tt.oldCode)},
			{"code", func(s split) int { return s.codes }, fmt.Sprintf("%q %s %d", padded(tt.slots[1]), blank, tt.oldCode)},
		} {
			if stop.at == "code" && tt.oldCode == tt.codes {
				continue // Set does not write a code that has not changed
			}
			inLayouts(t, func(t *testing.T, layout format.Layout) {
				name := fmt.Sprintf("%v over %v stopped at the %s", tt.new, tt.old, stop.at)
				s := splitList(t, layout, tt.old)
				page := stop.page(s)
				s.mem.protect(t, page, page+1, syscall.PROT_READ)
				l := attach(t, s.buf)
				if err := s.mem.faulting(func() error { return l.Set(1, tt.new) }); !errors.Is(err, errFault) {
					t.Fatalf("%s: %v", name, err)
				}
				s.mem.writable(t)
				if diff := cmp.Diff(stop.want, s.item(layout)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
				l = attach(t, s.buf)
				if stop.at == "format" {
					if v, err := l.Get(1); err != nil || !format.Equal(v, tt.old) {
						t.Errorf("%s: reads %v, %v", name, v, err)
					}
				} else if v, err := l.Get(1); !errors.Is(err, format.ErrBusy) {
					t.Errorf("%s: reads %v, %v; want ErrBusy", name, v, err)
				}
				if err := l.Set(1, tt.new); err != nil {
					t.Errorf("%s: the next Set: %v", name, err)
				}
				if v, err := l.Get(1); err != nil || !format.Equal(v, tt.new) {
					t.Errorf("%s: after the next Set it reads %v, %v", name, v, err)
				}
			})
		}
	}
}

// The same in a list of one item. The list must not look incomplete then.
func TestSetStoppedInOnlyItem(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		b := encode(t, layout, strings.Repeat("x", 2*pageSize))
		p := areasOf(b, layout)
		for _, tt := range []struct {
			new    any
			stopAt int
		}{
			{5, p.data}, {5, p.codes}, {"new", p.data}, {nil, p.data}, {nil, p.codes},
		} {
			mem, buf, page := mapAt(t, b, tt.stopAt)
			mem.protect(t, page, page+1, syscall.PROT_READ)
			l := attach(t, buf)
			if err := mem.faulting(func() error { return l.Set(0, tt.new) }); !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			mem.writable(t)
			l = attach(t, buf)
			if v, err := l.Get(0); !errors.Is(err, format.ErrBusy) {
				t.Errorf("%v, stopped at %d: reads %v, %v", tt.new, tt.stopAt, v, err)
			}
			if err := l.Set(0, tt.new); err != nil {
				t.Error(err)
			}
			if v, err := l.Get(0); err != nil || !format.Equal(v, tt.new) {
				t.Errorf("%v, stopped at %d: after the next Set it reads %v, %v", tt.new, tt.stopAt, v, err)
			}
		}
	})
}
