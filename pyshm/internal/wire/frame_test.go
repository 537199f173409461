package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestReadFrame(t *testing.T) {
	for _, tc := range []struct {
		what, stream string
		want         string
		err          error
	}{
		{"short form", "\x00\x00\x00\x05hello rest", "hello", nil},
		{"long form", "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x05hello", "hello", nil},
		{"empty", "\x00\x00\x00\x00", "", nil},
		{"longest accepted", "\x00\x00\x00\x08" + "12345678", "12345678", nil},
		{"too long", "\x00\x00\x00\x09" + "123456789", "", ErrTooLong},
		{"too long in the long form", "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x09" + "123456789", "", ErrTooLong},
		{"more than int64", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "", ErrTooLong},
		{"negative", "\xff\xff\xff\xfe", "", ErrProtocol},
		{"smallest", "\x80\x00\x00\x00", "", ErrProtocol},
		{"text", "GET / HTTP/1.1\r\n", "", ErrTooLong},
		{"nothing", "", "", io.EOF},
		{"cut in the length", "\x00\x00", "", io.ErrUnexpectedEOF},
		{"cut after the mark of the long form", "\xff\xff\xff\xff", "", io.ErrUnexpectedEOF},
		{"cut in the long length", "\xff\xff\xff\xff\x00\x00", "", io.ErrUnexpectedEOF},
		{"cut before the payload", "\x00\x00\x00\x05", "", io.ErrUnexpectedEOF},
		{"cut in the payload", "\x00\x00\x00\x05hel", "", io.ErrUnexpectedEOF},
	} {
		for _, r := range []io.Reader{
			strings.NewReader(tc.stream),
			iotest.OneByteReader(strings.NewReader(tc.stream)),
		} {
			got, err := ReadFrame(r, 8)
			if string(got) != tc.want || tc.err == nil && err != nil || !errors.Is(err, tc.err) {
				t.Errorf("%s: %q, %v, want %q, %v", tc.what, got, err, tc.want, tc.err)
			}
		}
	}
}

func TestWriteFrame(t *testing.T) {
	var b bytes.Buffer
	for _, payload := range []string{"hello", ""} {
		if err := WriteFrame(&b, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "\x00\x00\x00\x05hello\x00\x00\x00\x00"; b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
}

// As in CPython, whose peers may take a small frame to come in one piece.
func TestWritesOfAFrame(t *testing.T) {
	for length, want := range map[int]countingWriter{0: 1, 1: 1, 16384: 1, 16385: 2, 100_000: 2} {
		var w countingWriter
		if err := WriteFrame(&w, make([]byte, length)); err != nil || w != want {
			t.Errorf("%d bytes: %d writes, %v", length, w, err)
		}
	}
}

// CPython writes the long form from 2 GiB on.
func TestHeaders(t *testing.T) {
	for length, want := range map[uint64]string{
		0: "\x00\x00\x00\x00", 1<<31 - 1: "\x7f\xff\xff\xff",
		1 << 31: "\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x00\x00",
	} {
		if got := appendHeader(nil, length); string(got) != want {
			t.Errorf("%d: %x", length, got)
		}
	}
}

// A part of a frame is kept when the stream has no more for the moment, as after a
// deadline, wherever in the frame the stream pauses.
func TestReaderContinues(t *testing.T) {
	stream := "\x00\x00\x00\x05hello\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02hi\x00\x00\x00\x00rest"
	source := strings.NewReader(stream)
	frames := NewReader(iotest.OneByteReader(&hiccups{r: source}), 8)
	for _, want := range []string{"hello", "hi", ""} {
		var got []byte
		err := iotest.ErrTimeout
		for err == iotest.ErrTimeout {
			got, err = frames.Next()
		}
		if string(got) != want || err != nil || got == nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	if source.Len() != len("rest") || frames.Begun() {
		t.Errorf("%d bytes left, begun %v", source.Len(), frames.Begun())
	}
}

// hiccups fails every other time, like a stream with a deadline.
type hiccups struct {
	r     io.Reader
	calls int
}

func (h *hiccups) Read(p []byte) (int, error) {
	if h.calls++; h.calls%2 == 1 {
		return 0, iotest.ErrTimeout
	}
	return h.r.Read(p)
}

func TestPeek(t *testing.T) {
	frames := NewReader(&hiccups{r: strings.NewReader("\x00\x00\x00\x02hi")}, 8)
	if err := frames.Peek(); err != iotest.ErrTimeout || frames.Begun() {
		t.Errorf("nothing there: %v", err)
	}
	if err := frames.Peek(); err != nil || !frames.Begun() {
		t.Errorf("a frame there: %v", err)
	}
	frames = NewReader(strings.NewReader(""), 8)
	if err := frames.Peek(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// Announcing a length costs a peer four bytes. It must not cost this side memory of that
// length.
func TestMemoryFollowsThePayload(t *testing.T) {
	const length = 1 << 30
	frames := NewReader(strings.NewReader("\x40\x00\x00\x00"+"a few bytes"), length)
	if _, err := frames.Next(); err != io.ErrUnexpectedEOF || cap(frames.payload) > firstPiece {
		t.Errorf("%d bytes allocated, %v", cap(frames.payload), err)
	}
	payload := make([]byte, 1<<20+1)
	payload[1<<20] = 1
	var stream bytes.Buffer
	WriteFrame(&stream, payload)
	got, err := ReadFrame(&stream, length)
	if err != nil || string(got) != string(payload) || cap(got) != len(payload) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

type countingWriter int

func (w *countingWriter) Write(p []byte) (int, error) { *w++; return len(p), nil }

func FuzzFrame(f *testing.F) {
	for _, seed := range []string{
		"\x00\x00\x00\x05hello", "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x05hello",
		"\x7f\xff\xff\xff", "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x01\x00", "",
	} {
		f.Add([]byte(seed), 256)
	}
	f.Fuzz(func(t *testing.T, stream []byte, limit int) {
		limit = min(max(limit, 0), 64<<10)
		r := bytes.NewReader(stream)
		payload, err := ReadFrame(r, limit)
		if err != nil {
			testkit.CheckPrintable(t, err)
			return
		}
		if len(payload) > limit {
			t.Fatalf("%d bytes, the limit was %d", len(payload), limit)
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, payload); err != nil {
			t.Fatal(err)
		}
		if read, err := ReadFrame(&again, limit); err != nil || !bytes.Equal(read, payload) {
			t.Fatalf("%q was read back as %q, %v", payload, read, err)
		}
	})
}

// The room for a payload grows to its length, also when a 32-bit int has none for twice
// what is there.
func TestNextSize(t *testing.T) {
	for _, length := range []int{1, firstPiece, 1 << 30, math.MaxInt32} {
		have := 0
		for steps := 0; have < length; steps++ {
			next := nextSize(have, length)
			if next <= have || next > length || int64(next) > max(2*int64(have), firstPiece) || steps > 32 {
				t.Fatalf("%d of %d bytes are there, room for %d is next", have, length, next)
			}
			have = next
		}
	}
}
