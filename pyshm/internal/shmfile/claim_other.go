//go:build (!linux && !windows) || (linux && posixshm)

package shmfile

import "errors"

// ErrClaimed is the reason when another keeper has claimed a name.
var ErrClaimed = errors.New("another keeper has claimed the name")

// Claim returns errors.ErrUnsupported.
func Claim(string, string) (*File, error) { return nil, errors.ErrUnsupported }

// IsClaimed returns false.
func IsClaimed(string) bool { return false }
