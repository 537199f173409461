//go:build !linux

package futex

import (
	"errors"
	"time"
)

// Wait answers errors.ErrUnsupported.
func Wait(*uint32, uint32, time.Duration) (bool, error) { return false, errors.ErrUnsupported }

// Wake answers errors.ErrUnsupported.
func Wake(*uint32, int) (int, error) { return 0, errors.ErrUnsupported }
