//go:build !linux && !darwin && !freebsd && !windows

package descriptor

import "errors"

// IsReady returns errors.ErrUnsupported.
func IsReady(Stream) (bool, error) { return false, errors.ErrUnsupported }
