//go:build !linux && !windows && !darwin && !freebsd

package shmfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// Dir is the folder of the segments. There are none on this system.
const Dir = ""

const (
	// NamesFirst reports that a segment has its name before its content.
	NamesFirst = false
	// KeepsNames reports that a name stays until it is unlinked.
	KeepsNames = true
	// RandomPrefix begins the names that Python chooses.
	RandomPrefix = "psm_"
	// LongestName is how many bytes a name may have.
	LongestName = 255
)

// A File is an open segment. There are none on this system.
type File struct{}

// New returns errors.ErrUnsupported.
func New(fs.FileMode) (*File, error) { return nil, errors.ErrUnsupported }

// Open returns errors.ErrUnsupported.
func Open(string, bool) (*File, error) { return nil, errors.ErrUnsupported }

// OpenPatiently returns errors.ErrUnsupported.
func OpenPatiently(string, bool) (*File, error) { return nil, errors.ErrUnsupported }

// OpenDescriptor returns errors.ErrUnsupported.
func OpenDescriptor(int, int, bool) (*File, error) { return nil, errors.ErrUnsupported }

// HasLeases returns errors.ErrUnsupported.
func HasLeases() (bool, error) { return false, errors.ErrUnsupported }

// CheckDir returns errors.ErrUnsupported.
func CheckDir() error { return errors.ErrUnsupported }

// Lookup returns errors.ErrUnsupported.
func Lookup(string) (Info, error) { return Info{}, errors.ErrUnsupported }

// Link returns errors.ErrUnsupported.
func Link(string, string) error { return errors.ErrUnsupported }

// LinkHidden returns errors.ErrUnsupported.
func LinkHidden(string) (string, error) { return "", errors.ErrUnsupported }

// Unlink returns errors.ErrUnsupported.
func Unlink(string) error { return errors.ErrUnsupported }

// Names returns errors.ErrUnsupported.
func Names() ([]string, error) { return nil, errors.ErrUnsupported }

// NewFIFO returns errors.ErrUnsupported.
func NewFIFO(string, fs.FileMode) error { return errors.ErrUnsupported }

// LocateFIFO returns errors.ErrUnsupported.
func LocateFIFO(string) (*os.File, Info, error) { return nil, Info{}, errors.ErrUnsupported }

// The methods are never called, because there is no File.

func (*File) Fd() int                            { return -1 }
func (*File) Stat() (Info, error)                { return Info{}, errors.ErrUnsupported }
func (*File) Truncate(int64) error               { return errors.ErrUnsupported }
func (*File) Reserve(int64) error                { return errors.ErrUnsupported }
func (*File) Filler(int64) (io.WriterAt, error)  { return nil, errors.ErrUnsupported }
func (*File) ReadAt([]byte, int64) (int, error)  { return 0, errors.ErrUnsupported }
func (*File) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (*File) Lease() error                       { return errors.ErrUnsupported }
func (*File) Publish(string, bool) error         { return errors.ErrUnsupported }
func (*File) Close() error                       { return errors.ErrUnsupported }
