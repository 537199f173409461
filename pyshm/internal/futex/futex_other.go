//go:build !linux

package futex

import (
	"errors"
	"time"
)

// Wait returns errors.ErrUnsupported.
func Wait(*uint32, uint32, time.Duration) (bool, error) { return false, errors.ErrUnsupported }

// Wake returns errors.ErrUnsupported.
func Wake(*uint32, int) (int, error) { return 0, errors.ErrUnsupported }
