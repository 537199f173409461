package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
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
		{"too long", "\x00\x00\x00\x09" + "123456789", "", ErrProtocol},
		{"too long in the long form", "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x09" + "123456789", "", ErrProtocol},
		{"more than int64", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "", ErrProtocol},
		{"negative", "\xff\xff\xff\xfe", "", ErrProtocol},
		{"smallest", "\x80\x00\x00\x00", "", ErrProtocol},
		{"text", "GET / HTTP/1.1\r\n", "", ErrProtocol},
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

func TestWriteFrameInOneWrite(t *testing.T) {
	var w countingWriter
	if err := WriteFrame(&w, make([]byte, 100_000)); err != nil || w != 1 {
		t.Errorf("%d writes, %v", w, err)
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
