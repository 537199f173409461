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

// A frame is the length of its payload, big-endian, and the payload. CPython writes the
// long form for a payload of more than 0x7fffffff bytes, and reads it for any payload:
//
//	00 00 00 05                          h e l l o
//	ff ff ff ff  00 00 00 00 00 00 00 05 h e l l o
const longForm = -1

// ReadFrame reads one frame and returns its payload. A payload longer than limit bytes
// is ErrProtocol: ReadFrame allocates and reads none of it. The error is io.EOF only if
// the stream ends before the frame begins.
func ReadFrame(r io.Reader, limit int) ([]byte, error) {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:4]); err != nil {
		return nil, err
	}
	length := int64(int32(binary.BigEndian.Uint32(header[:])))
	if length == longForm {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return nil, unexpectedEOF(err)
		}
		length = int64(binary.BigEndian.Uint64(header[:]))
	}
	if length < 0 || length > int64(limit) {
		return nil, fmt.Errorf("%w: a frame of %d bytes, at most %d are accepted", ErrProtocol, uint64(length), limit)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, unexpectedEOF(err)
	}
	return payload, nil
}

// unexpectedEOF returns err, for a place where the stream must not end: io.EOF becomes
// io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// WriteFrame writes one frame, in one call of Write. It refuses a payload that needs
// the long form.
func WriteFrame(w io.Writer, payload []byte) error {
	if len(payload) > math.MaxInt32 {
		return fmt.Errorf("frame of %d bytes: too long", len(payload))
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(payload)), uint32(len(payload)))
	_, err := w.Write(append(frame, payload...))
	return err
}
