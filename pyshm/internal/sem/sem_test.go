package sem_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// A semaphore has the methods of both layouts.
type semaphore interface {
	Value() uint32
	Waiters() uint32
	Take() bool
	TakeUpTo(n uint32) uint32
	Post(n, bound uint32) (posted bool, waiters uint32)
	Count()
	Uncount() (wake int)
	TakeCounted() (taken bool, wake int)
	Sleep(time.Duration, *futex.Alarm) (bool, error)
	Wake(n int) (int, error)
}

// layouts are the two kinds of semaphores, in this machine's byte order.
var layouts = []struct {
	name  string
	bytes func(order binary.ByteOrder, value uint32) []byte
	at    func(mem []byte) (semaphore, error)
}{
	{"64-bit", sem.Bytes64, func(mem []byte) (semaphore, error) { return sem.At64(mem) }},
	{"32-bit", sem.Bytes32, func(mem []byte) (semaphore, error) { return sem.At32(mem) }},
}

// forLayouts runs a test on a semaphore of each kind.
func forLayouts(t *testing.T, value uint32, test func(t *testing.T, s semaphore, mem []byte)) {
	for _, layout := range layouts {
		t.Run(layout.name, func(t *testing.T) {
			mem := layout.bytes(binary.NativeEndian, value)
			s, err := layout.at(mem)
			if err != nil {
				t.Fatal(err)
			}
			test(t, s, mem)
		})
	}
}

// These bytes were read from /dev/shm, where Python had made semaphores on the
// architectures named.
func TestNewBytes(t *testing.T) {
	rest := strings.Repeat("00", 20)
	for _, tc := range []struct {
		machine string
		got     []byte
		want    string
	}{
		{"amd64", sem.Bytes64(binary.LittleEndian, 1), "01000000 00000000 80000000" + rest},
		{"amd64", sem.Bytes64(binary.LittleEndian, 3), "03000000 00000000 80000000" + rest},
		{"s390x", sem.Bytes64(binary.BigEndian, 1), "00000000 00000001 00000080" + rest},
		{"386", sem.Bytes32(binary.LittleEndian, 1), "02000000 80000000 00000000 00000000"},
	} {
		if got := hex.EncodeToString(tc.got); got != strings.ReplaceAll(tc.want, " ", "") {
			t.Errorf("%s:\n     %s\nwant %s", tc.machine, got, tc.want)
		}
	}
}

// Waiters sleep on the half of the word that holds the value.
func TestValueOffset(t *testing.T) {
	for order, want := range map[binary.ByteOrder]int{binary.LittleEndian: 0, binary.BigEndian: 4} {
		got := sem.ValueOffset64(order)
		if got != want || order.Uint32(sem.Bytes64(order, 77)[got:]) != 77 {
			t.Errorf("%v: %d", order, got)
		}
	}
}

// The states that glibc's waiters and posters were seen to produce. In
// sem.Sem32 the lowest bit of the value is set if a thread may sleep.
func TestStates(t *testing.T) {
	take := func(s semaphore) { s.Take() }
	post := func(s semaphore) { s.Post(1, 1) }
	wait := func(s semaphore) { s.Count(); s.Sleep(time.Nanosecond, new(futex.Alarm)) }
	takeCounted := func(s semaphore) { s.TakeCounted() }
	giveUp := func(s semaphore) { s.Uncount() }
	type steps []func(semaphore)
	for _, tc := range []struct {
		state   string
		steps   steps
		want64  uint64    // data
		want32  [2]uint32 // value, waiters
		value   uint32
		waiters uint32
	}{
		{"free", nil, 1, [2]uint32{2, 0}, 1, 0},
		{"held", steps{take}, 0, [2]uint32{0, 0}, 0, 0},
		{"one waiter", steps{take, wait}, 1 << 32, [2]uint32{1, 1}, 0, 1},
		{"two waiters", steps{take, wait, wait}, 2 << 32, [2]uint32{1, 2}, 0, 2},
		{"one gave up", steps{take, wait, wait, giveUp}, 1 << 32, [2]uint32{1, 1}, 0, 1},
		{"both gave up", steps{take, wait, wait, giveUp, giveUp}, 0, [2]uint32{0, 0}, 0, 0},
		{"released to the waiter", steps{take, wait, post}, 1<<32 | 1, [2]uint32{3, 1}, 1, 1},
		{"taken by the waiter", steps{take, wait, post, takeCounted}, 0, [2]uint32{0, 0}, 0, 0},
		{"taken from the waiter", steps{take, wait, post, take}, 1 << 32, [2]uint32{1, 1}, 0, 1},
	} {
		forLayouts(t, 1, func(t *testing.T, s semaphore, mem []byte) {
			for _, step := range tc.steps {
				step(s)
			}
			if len(mem) == sem.Size64 {
				if data := binary.NativeEndian.Uint64(mem); data != tc.want64 {
					t.Errorf("%s: data is %#x instead of %#x", tc.state, data, tc.want64)
				}
			} else {
				words := [2]uint32{binary.NativeEndian.Uint32(mem), binary.NativeEndian.Uint32(mem[12:])}
				if words != tc.want32 {
					t.Errorf("%s: value and waiters are %d instead of %d", tc.state, words, tc.want32)
				}
			}
			if s.Value() != tc.value || s.Waiters() != tc.waiters {
				t.Errorf("%s: value %d, %d waiters", tc.state, s.Value(), s.Waiters())
			}
		})
	}
}

func TestTake(t *testing.T) {
	forLayouts(t, 2, func(t *testing.T, s semaphore, _ []byte) {
		for i, want := range []bool{true, true, false} {
			if taken := s.Take(); taken != want {
				t.Errorf("of two tokens, number %d: %v", i+1, taken)
			}
		}
		if s.Value() != 0 {
			t.Errorf("%d are left", s.Value())
		}
	})
}

func TestTakeUpTo(t *testing.T) {
	forLayouts(t, 5, func(t *testing.T, s semaphore, _ []byte) {
		s.Count()
		for _, tc := range []struct{ n, want, left uint32 }{
			{0, 0, 5}, {2, 2, 3}, {4, 3, 0}, {math.MaxUint32, 0, 0},
		} {
			if got := s.TakeUpTo(tc.n); got != tc.want || s.Value() != tc.left || s.Waiters() != 1 {
				t.Errorf("TakeUpTo(%d) = %d, leaving %d", tc.n, got, s.Value())
			}
		}
	})
}

func TestPostKeepsBound(t *testing.T) {
	forLayouts(t, sem.MaxValue-1, func(t *testing.T, s semaphore, _ []byte) {
		for _, bound := range []uint32{1, sem.MaxValue - 1} {
			if posted, _ := s.Post(1, bound); posted {
				t.Errorf("raised the value above %d", bound)
			}
		}
		if posted, _ := s.Post(1, sem.MaxValue); !posted {
			t.Error("did not raise the value to SEM_VALUE_MAX")
		}
		if posted, _ := s.Post(1, sem.MaxValue); posted || s.Value() != sem.MaxValue || s.Waiters() != 0 {
			t.Errorf("value %d, %d waiters", s.Value(), s.Waiters())
		}
	})
}

// Posters have to wake a thread exactly if a thread may sleep.
func TestPostReportsWaiters(t *testing.T) {
	forLayouts(t, 0, func(t *testing.T, s semaphore, _ []byte) {
		if _, waiters := s.Post(1, 9); waiters != 0 {
			t.Error("a waiter where there was none")
		}
		s.Take()
		s.Count()
		s.Sleep(time.Nanosecond, new(futex.Alarm))
		if _, waiters := s.Post(1, 9); waiters != 1 {
			t.Error("no waiter where there was one")
		}
	})
}

// Tokens are added in one step, all of them or none.
func TestPostMany(t *testing.T) {
	forLayouts(t, 1, func(t *testing.T, s semaphore, _ []byte) {
		for _, tc := range []struct{ n, bound uint32 }{
			{3, 3}, {1, 1}, {2, 2}, {4, 3}, {sem.MaxValue, sem.MaxValue}, {math.MaxUint32, sem.MaxValue}, {math.MaxUint32, 1},
		} {
			if posted, _ := s.Post(tc.n, tc.bound); posted || s.Value() != 1 {
				t.Errorf("added %d to 1, with the bound %d: value %d", tc.n, tc.bound, s.Value())
			}
		}
		if posted, waiters := s.Post(3, 4); !posted || waiters != 0 || s.Value() != 4 {
			t.Errorf("value %d, %d waiters", s.Value(), waiters)
		}
		s.TakeUpTo(4)
		s.Count()
		s.Sleep(time.Nanosecond, new(futex.Alarm))
		if posted, waiters := s.Post(3, 3); !posted || waiters != 1 || s.Value() != 3 || s.Waiters() != 1 {
			t.Errorf("value %d, %d waiters", s.Value(), s.Waiters())
		}
	})
}

// A wake that was meant for a waiter that gives up is passed on, if others wait and
// there is a token for them.
func TestUncountPassesOn(t *testing.T) {
	for _, tc := range []struct{ tokens, waiters, want int }{
		{0, 1, 0}, {0, 2, 0}, {1, 1, 0}, {1, 2, 1}, {2, 3, 1},
	} {
		forLayouts(t, 0, func(t *testing.T, s semaphore, _ []byte) {
			for range tc.waiters {
				s.Count()
				s.Sleep(time.Nanosecond, new(futex.Alarm))
			}
			for range tc.tokens {
				s.Post(1, sem.MaxValue)
			}
			if wake := s.Uncount(); wake != tc.want {
				t.Errorf("%d tokens, %d waiters: %d to wake instead of %d", tc.tokens, tc.waiters, wake, tc.want)
			}
		})
	}
}

// A count that another process has overwritten does not run backwards.
func TestUncountOfNobody(t *testing.T) {
	forLayouts(t, 1, func(t *testing.T, s semaphore, _ []byte) {
		s.Uncount()
		if s.Value() != 1 || s.Waiters() != 0 {
			t.Errorf("value %d, %d waiters", s.Value(), s.Waiters())
		}
		if taken, _ := s.TakeCounted(); !taken || s.Value() != 0 || s.Waiters() != 0 {
			t.Errorf("value %d, %d waiters", s.Value(), s.Waiters())
		}
	})
}

// Whatever another process has stored, every step comes to an end and touches
// the words of the semaphore alone.
func TestHostileWords(t *testing.T) {
	words := []uint32{0, 1, 2, 3, math.MaxInt32, 1 << 31, math.MaxUint32 - 1, math.MaxUint32}
	forLayouts(t, 0, func(t *testing.T, s semaphore, mem []byte) {
		second, rest := mem[4:8], mem[8:]
		if len(mem) == sem.Size32 {
			second, rest = mem[12:], mem[4:12]
		}
		before := bytes.Clone(rest)
		for what, step := range map[string]func(){
			"Value":       func() { s.Value() },
			"Waiters":     func() { s.Waiters() },
			"Take":        func() { s.Take() },
			"TakeUpTo":    func() { s.TakeUpTo(math.MaxUint32) },
			"Post":        func() { s.Post(1, sem.MaxValue) },
			"Post many":   func() { s.Post(math.MaxUint32, sem.MaxValue) },
			"Count":       s.Count,
			"Uncount":     func() { s.Uncount() },
			"TakeCounted": func() { s.TakeCounted() },
			"Sleep":       func() { s.Sleep(time.Nanosecond, new(futex.Alarm)) },
			"Wake":        func() { s.Wake(1) },
		} {
			for _, a := range words {
				for _, b := range words {
					binary.NativeEndian.PutUint32(mem, a)
					binary.NativeEndian.PutUint32(second, b)
					step()
				}
			}
			if !bytes.Equal(rest, before) {
				t.Errorf("%s: % x", what, rest)
			}
		}
	})
}

func TestAtRefuses(t *testing.T) {
	for _, layout := range layouts {
		good := layout.bytes(binary.NativeEndian, 1)
		private := layout.bytes(binary.NativeEndian, 1)
		clear(private[4:12])
		for what, mem := range map[string][]byte{
			"nothing":   nil,
			"too short": good[:len(good)-1],
			"too long":  append(good[:len(good):len(good)], 0),
			"private":   private,
			"zeros":     make([]byte, len(good)),
		} {
			if _, err := layout.at(mem); !errors.Is(err, sem.ErrNotSemaphore) {
				t.Errorf("%s, %s: %v", layout.name, what, err)
			}
		}
	}
	// The two kinds do not take each other for their own.
	if _, err := sem.At64(sem.Bytes32(binary.NativeEndian, 1)); !errors.Is(err, sem.ErrNotSemaphore) {
		t.Error(err)
	}
	if _, err := sem.At32(sem.Bytes64(binary.NativeEndian, 1)); !errors.Is(err, sem.ErrNotSemaphore) {
		t.Error(err)
	}
}
