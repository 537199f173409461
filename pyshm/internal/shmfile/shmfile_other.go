//go:build !linux

package shmfile

import (
	"errors"
	"io/fs"
)

// Dir is where the objects are. There are none here.
const Dir = ""

// A File is an open object. There are none here.
type File struct{}

// New answers errors.ErrUnsupported.
func New(fs.FileMode) (*File, error) { return nil, errors.ErrUnsupported }

// Open answers errors.ErrUnsupported.
func Open(string, bool) (*File, error) { return nil, errors.ErrUnsupported }

// OpenPatiently answers errors.ErrUnsupported.
func OpenPatiently(string, bool) (*File, error) { return nil, errors.ErrUnsupported }

// HasLeases answers errors.ErrUnsupported.
func HasLeases() (bool, error) { return false, errors.ErrUnsupported }

// CheckDir answers errors.ErrUnsupported.
func CheckDir() error { return errors.ErrUnsupported }

// Lookup answers errors.ErrUnsupported.
func Lookup(string) (Info, error) { return Info{}, errors.ErrUnsupported }

// Link answers errors.ErrUnsupported.
func Link(string, string) error { return errors.ErrUnsupported }

// LinkHidden answers errors.ErrUnsupported.
func LinkHidden(string) (string, error) { return "", errors.ErrUnsupported }

// Unlink answers errors.ErrUnsupported.
func Unlink(string) error { return errors.ErrUnsupported }

// Names answers errors.ErrUnsupported.
func Names() ([]string, error) { return nil, errors.ErrUnsupported }

// The methods are never reached, for want of a File.

func (*File) Fd() int                            { return -1 }
func (*File) Stat() (Info, error)                { return Info{}, errors.ErrUnsupported }
func (*File) Truncate(int64) error               { return errors.ErrUnsupported }
func (*File) Reserve(int64) error                { return errors.ErrUnsupported }
func (*File) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (*File) Lease() error                       { return errors.ErrUnsupported }
func (*File) Publish(string, bool) error         { return errors.ErrUnsupported }
func (*File) Close() error                       { return errors.ErrUnsupported }
