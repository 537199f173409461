package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrProtocol is in the error when the peer sends bytes that
// multiprocessing.connection would never send.
var ErrProtocol = errors.New("the peer does not speak multiprocessing.connection")

// ErrTooLong is in the error when a frame is longer than its reader accepts.
var ErrTooLong = errors.New("frame too long")

// A frame is the length of its payload, big-endian, and the payload. CPython writes the
// long form for a payload of more than 0x7fffffff bytes, and reads it for any payload:
//
//	00 00 00 05                          h e l l o
//	ff ff ff ff  00 00 00 00 00 00 00 05 h e l l o
const (
	longForm     = -1
	shortLen     = 4 // of the header, in bytes
	longLen      = 4 + 8
	longestShort = math.MaxInt32 // payload in the short form, in bytes
)

// firstPiece is how much of a payload is allocated before any of it is there, in bytes.
const firstPiece = 64 << 10

// A Reader reads the frames of a stream. It reads no byte beyond the frame that it was
// asked for. If the stream returns an error in the middle of a frame, such as a
// deadline, the Reader keeps the part that it has read, and the next call continues
// there.
type Reader struct {
	r      io.Reader
	limit  int
	header []byte // the part that has come
	length int    // of the payload, once the header is complete
	// payload is the part of the payload that has come. Its memory grows with the bytes
	// that come, because announcing a length costs the peer nothing.
	payload []byte
}

// NewReader returns a reader of frames with payloads of at most limit bytes.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{r: r, limit: limit, header: make([]byte, 0, longLen)}
}

// Next returns the payload of the next frame. A payload longer than the limit is
// ErrTooLong: Next allocates and reads none of it, and the stream is of no use any more.
// The error is io.EOF only if the stream ends before the frame begins.
func (f *Reader) Next() ([]byte, error) {
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	for len(f.payload) < f.length {
		if err := f.readPayload(); err != nil {
			return nil, err
		}
	}
	payload := f.payload
	if payload == nil {
		payload = []byte{}
	}
	f.header, f.payload = f.header[:0], nil
	return payload, nil
}

// Peek returns when the first byte of a frame has come.
func (f *Reader) Peek() error {
	for len(f.header) == 0 {
		if err := f.readInto(&f.header, shortLen); err != nil {
			return err
		}
	}
	return nil
}

// SetLimit sets how long a payload may be, in bytes.
func (f *Reader) SetLimit(limit int) { f.limit = limit }

// Begun reports whether a part of a frame has been read.
func (f *Reader) Begun() bool { return len(f.header) > 0 }

// readHeader reads the missing part of the header, and sets length.
func (f *Reader) readHeader() error {
	if err := f.readUpTo(shortLen); err != nil {
		return err
	}
	length := int64(int32(binary.BigEndian.Uint32(f.header)))
	if length == longForm {
		if err := f.readUpTo(longLen); err != nil {
			return err
		}
		length = int64(binary.BigEndian.Uint64(f.header[shortLen:]))
		if length < 0 {
			length = math.MaxInt64
		}
	}
	switch {
	case length < 0:
		return fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, length)
	case length > int64(f.limit):
		return fmt.Errorf("%w: %d bytes, at most %d are accepted", ErrTooLong, length, f.limit)
	}
	f.length = int(length)
	return nil
}

// readUpTo reads until n bytes of the header are there.
func (f *Reader) readUpTo(n int) error {
	for len(f.header) < n {
		if err := f.readInto(&f.header, n); err != nil {
			if len(f.header) > 0 {
				return unexpectedEOF(err)
			}
			return err
		}
	}
	return nil
}

// readPayload reads a part of the payload.
func (f *Reader) readPayload() error {
	if have := len(f.payload); have == cap(f.payload) {
		grown := make([]byte, have, nextSize(have, f.length))
		copy(grown, f.payload)
		f.payload = grown
	}
	return unexpectedEOF(f.readInto(&f.payload, cap(f.payload)))
}

// nextSize returns how many bytes of a payload have room next, of which some are there.
func nextSize(have, length int) int { return have + min(length-have, max(have, firstPiece)) }

// readInto reads once and appends to b, which then has at most n bytes. b has room for
// them. An error that comes together with bytes is left for the next call.
func (f *Reader) readInto(b *[]byte, n int) error {
	have := len(*b)
	got, err := f.r.Read((*b)[have:n])
	*b = (*b)[:have+got]
	if got > 0 {
		return nil
	}
	return err
}

// ReadFrame reads one frame, as a [Reader] does.
func ReadFrame(r io.Reader, limit int) ([]byte, error) { return NewReader(r, limit).Next() }

// unexpectedEOF returns err, for a place where the stream must not end: io.EOF becomes
// io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// inOneWrite is the length of the longest payload that goes into one write with its
// header, in bytes. It is the same in CPython.
const inOneWrite = 16 << 10

// Frame returns one frame, as the pieces that CPython writes: one if the payload has at
// most 16 KiB, otherwise two, the header and the payload.
func Frame(payload []byte) [][]byte {
	frame := appendHeader(make([]byte, 0, longLen+min(len(payload), inOneWrite)), uint64(len(payload)))
	if len(payload) <= inOneWrite {
		return [][]byte{append(frame, payload...)}
	}
	return [][]byte{frame, payload}
}

// WriteFrame writes one frame, in a call of Write for each of its pieces.
func WriteFrame(w io.Writer, payload []byte) error {
	for _, piece := range Frame(payload) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

func appendHeader(dst []byte, length uint64) []byte {
	if length <= longestShort {
		return binary.BigEndian.AppendUint32(dst, uint32(length))
	}
	dst = append(dst, 0xff, 0xff, 0xff, 0xff)
	return binary.BigEndian.AppendUint64(dst, length)
}
