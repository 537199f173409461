//go:build !linux

package mapping

import "errors"

// Map answers errors.ErrUnsupported.
func Map(fd, size int, readOnly bool) (*Mapping, error) { return nil, errors.ErrUnsupported }

// The methods are never reached, for want of a Mapping.

func (*Mapping) Freeze() error  { return errors.ErrUnsupported }
func (*Mapping) Revoke() error  { return errors.ErrUnsupported }
func (*Mapping) Release() error { return errors.ErrUnsupported }
