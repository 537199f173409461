//go:build !linux

package mappers

import "errors"

// Take returns errors.ErrUnsupported.
func Take() (Snapshot, error) { return nil, errors.ErrUnsupported }
