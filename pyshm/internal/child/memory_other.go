//go:build !linux

package child

import "errors"

// MeasuresMemory reports whether Memory is supported.
const MeasuresMemory = false

// Memory is not supported.
func Memory(int) (int64, error) { return 0, errors.ErrUnsupported }
