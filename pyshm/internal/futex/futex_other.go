//go:build !linux

package futex

import (
	"errors"
	"time"
)

// Wait returns errors.ErrUnsupported.
func Wait(*uint32, uint32, time.Duration, *Alarm) (bool, error) { return false, errors.ErrUnsupported }

// Wake returns errors.ErrUnsupported.
func Wake(*uint32, int) (int, error) { return 0, errors.ErrUnsupported }

// An Alarm is unused on this system.
type Alarm struct{}

// Ring does nothing.
func (*Alarm) Ring() {}
