//go:build !linux

package mappers

import "errors"

// Take answers errors.ErrUnsupported.
func Take() (Snapshot, error) { return nil, errors.ErrUnsupported }
