package testkit

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Names returns the names in /dev/shm, in order. /dev/shm should be a private one.
func Names(t testing.TB) (names []string) {
	t.Helper()
	for _, e := range Must(os.ReadDir("/dev/shm"))(t) {
		names = append(names, e.Name())
	}
	return names
}

// WantNames fails unless a private /dev/shm holds exactly these names, hidden ones
// included.
func WantNames(t testing.TB, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := Names(t); !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
}

// NamesWith returns the names that begin with a prefix.
func NamesWith(prefix string) (names []string) {
	paths, _ := filepath.Glob(Path(prefix) + "*")
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// Foreign makes a segment of 8 bytes with neither Go's pyshm nor Python, and
// removes it after the test.
func Foreign(t testing.TB) (name string) {
	t.Helper()
	NeedLinux(t)
	name = Name(t)
	RemoveAfter(t, name)
	Check(t, os.WriteFile(Path(name), make([]byte, 8), 0o600))
	return name
}

// ForeignWords makes a segment like [Foreign], which holds these words.
func ForeignWords(t testing.TB, words ...int64) (name string) {
	t.Helper()
	name = Foreign(t)
	var data []byte
	for _, word := range words {
		data = binary.NativeEndian.AppendUint64(data, uint64(word))
	}
	Check(t, os.WriteFile(Path(name), data, 0o600))
	return name
}

// RemoveAfter removes a name when the test ends.
func RemoveAfter(t testing.TB, name string) {
	t.Cleanup(func() { os.Remove(Path(name)) })
}

// Path returns the path of the file that has a name. Where segments are no files, nothing has
// the path.
func Path(name string) string {
	if !isLinux {
		return "/there is no /dev/shm/" + name
	}
	return "/dev/shm/" + name
}
