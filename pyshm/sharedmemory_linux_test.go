package pyshm_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

// create makes a segment that is closed and unlinked when the test ends.
func create(t testing.TB, size int, opts ...pyshm.CreateOption) *pyshm.SharedMemory {
	t.Helper()
	m, err := pyshm.Create(testName(t), size, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.Unlink(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return m
}

// attach attaches to a segment until the test ends.
func attach(t testing.TB, name string, opts ...pyshm.AttachOption) *pyshm.SharedMemory {
	t.Helper()
	m, err := pyshm.Attach(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func pathOf(name string) string { return "/dev/shm/" + name }

func TestCreateAttach(t *testing.T) {
	m := create(t, 5000)
	if info, err := os.Stat(pathOf(m.Name())); err != nil || info.Size() != 5000 || info.Mode() != 0o600 {
		t.Fatalf("stat: %v, %v", info, err)
	}
	other := attach(t, "/"+m.Name())
	if other.Name() != m.Name() || other.Size() != 5000 {
		t.Fatalf("attached to %q of %d bytes", other.Name(), other.Size())
	}
	if _, err := m.WriteAt([]byte("hello"), 4995); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	n, err := other.ReadAt(got, 4990)
	if n != 10 || err != nil || !bytes.Equal(got, []byte("\x00\x00\x00\x00\x00hello")) {
		t.Fatalf("ReadAt = %d, %v, %q", n, err, got)
	}
	if n, err := other.ReadAt(got, 4996); n != 4 || err != io.EOF {
		t.Fatalf("ReadAt near the end = %d, %v", n, err)
	}
}

func TestAlias(t *testing.T) {
	m := create(t, 64)
	alias, err := m.Alias()
	if err != nil {
		t.Fatal(err)
	}
	other := attach(t, alias)
	if err := pyshm.Unlink(alias); err != nil {
		t.Fatal(err)
	}
	if _, err := other.WriteAt([]byte{42}, 7); err != nil {
		t.Fatal(err)
	}
	if m.Bytes()[7] != 42 {
		t.Error("the alias is another segment")
	}
	if err := m.Unlink(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Alias(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("alias of an unlinked segment: %v", err)
	}
}
