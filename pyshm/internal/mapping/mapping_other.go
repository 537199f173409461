//go:build !linux

package mapping

import "errors"

type place struct{} // in what is accounted for on Linux

// Map answers errors.ErrUnsupported.
func Map(fd, size int, readOnly bool) (*Mapping, error) { return nil, errors.ErrUnsupported }

// The methods are never reached, for want of a Mapping.

func (*Mapping) Pin()           {}
func (*Mapping) Freeze() error  { return errors.ErrUnsupported }
func (*Mapping) Revoke() error  { return errors.ErrUnsupported }
func (*Mapping) Release() error { return errors.ErrUnsupported }
