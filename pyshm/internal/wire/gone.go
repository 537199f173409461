package wire

import (
	"errors"
	"io"
)

// IsGone reports whether a read or a write failed because there is no peer any more.
func IsGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err)
}
