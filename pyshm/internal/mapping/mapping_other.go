//go:build !linux && !windows && !darwin && !freebsd

package mapping

import "errors"

type place struct{} // there is nothing to note

// Map returns errors.ErrUnsupported.
func Map(fd, size int, readOnly bool) (*Mapping, error) { return nil, errors.ErrUnsupported }

// The methods are never called, because there is no Mapping.

func (*Mapping) Pin()           {}
func (*Mapping) Freeze() error  { return errors.ErrUnsupported }
func (*Mapping) Revoke() error  { return errors.ErrUnsupported }
func (*Mapping) Release() error { return errors.ErrUnsupported }
