package pyshm

import (
	"bytes"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// A recorder keeps a copy of the memory after each write.
type recorder struct {
	memory []byte
	states [][]byte
}

func (r *recorder) WriteAt(p []byte, off int64) (int, error) {
	n := copy(r.memory[off:], p)
	r.states = append(r.states, bytes.Clone(r.memory))
	return n, nil
}

// Before the last write nothing in the memory looks like a list.
func TestLateWriterKeepsTheCount(t *testing.T) {
	e, err := format.NewEncoder([]any{int64(1), "text", 2.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if _, err := e.WriteTo(&want); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 3, 8, 9, want.Len()} {
		r := &recorder{memory: make([]byte, want.Len())}
		late := &lateWriter{w: r}
		for off := 0; off < want.Len(); off += step {
			part := want.Bytes()[off:min(off+step, want.Len())]
			if n, err := late.WriteAt(part, int64(off)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := late.end(); err != nil {
			t.Fatal(err)
		}
		for i, state := range r.states[:len(r.states)-1] {
			if !bytes.Equal(state[:wordSize], make([]byte, wordSize)) {
				t.Errorf("in steps of %d: the first word is %x after write %d of %d", step, state[:wordSize], i+1, len(r.states))
			}
		}
		if !bytes.Equal(r.memory, want.Bytes()) {
			t.Errorf("in steps of %d: %x, want %x", step, r.memory, want.Bytes())
		}
	}
}

// A segment may be shorter than a word.
func TestLateWriterOfFewBytes(t *testing.T) {
	r := &recorder{memory: make([]byte, 3)}
	late := &lateWriter{w: r}
	if _, err := late.WriteAt([]byte("ab"), 1); err != nil {
		t.Fatal(err)
	}
	if err := late.end(); err != nil || string(r.memory) != "\x00ab" {
		t.Errorf("%q, %v", r.memory, err)
	}
}
