//go:build unix

package pyshm_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestCreateAttach(t *testing.T) {
	for _, size := range []int{1, 4095, 4096, 4097, 20 << 20} {
		m := create(t, size)
		st := stat(t, m.Name())
		if st.Size != int64(size) || st.Mode != syscall.S_IFREG|0o600 || st.Nlink != 1 {
			t.Errorf("size %d, mode %#o, %d names", st.Size, st.Mode, st.Nlink)
		}
		if st.Blocks*512 < int64(size) {
			t.Errorf("%d bytes are reserved of %d", st.Blocks*512, size)
		}
		other := attach(t, "/"+m.Name())
		if other.Name() != m.Name() || m.Size() != size || other.Size() != size {
			t.Errorf("attached to %q of %d bytes", other.Name(), other.Size())
		}
		if n := bytes.Count(m.Bytes(), []byte{0}); n != size {
			t.Errorf("%d bytes are 0 of %d", n, size)
		}
		write(t, m, "x", int64(size-1))
		want(t, other, "x", int64(size-1))
		m.Unlink()
	}
}

func TestCreateChoosesName(t *testing.T) {
	testkit.NeedKeptNames(t)
	for _, opts := range [][]pyshm.CreateOption{nil, {pyshm.Replace()}} {
		m, err := pyshm.Create("", 1, opts...)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Name()) != len("psm_01234567") || !strings.HasPrefix(m.Name(), "psm_") {
			t.Errorf("name %q", m.Name())
		}
		m.Close()
		if err := m.Unlink(); err != nil {
			t.Error(err)
		}
	}
}

func TestCreateSparse(t *testing.T) {
	m := create(t, 1<<30, pyshm.Sparse())
	if st := stat(t, m.Name()); st.Blocks != 0 || st.Size != 1<<30 {
		t.Errorf("%d blocks, size %d", st.Blocks, st.Size)
	}
	write(t, m, "end", 1<<30-3)
}

func TestCreateMode(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o277))
	for _, mode := range []fs.FileMode{0, 0o400, 0o600, 0o666, 0o777} {
		m := create(t, 1, pyshm.Mode(mode))
		if st := stat(t, m.Name()); fs.FileMode(st.Mode&0o7777) != mode {
			t.Errorf("mode %#o, want %#o", st.Mode, mode)
		}
	}
	if m, err := pyshm.Create(testkit.Name(t), 1, pyshm.Mode(fs.ModeSetuid|0o700)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("created %v, %v", m, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, size := range []int{0, -1, math.MinInt} {
		if _, err := pyshm.Create(testkit.Name(t), size); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if bits.UintSize == 64 { // with 32 bits the size may fit
		if _, err := pyshm.Create(testkit.Name(t), math.MaxInt, pyshm.Sparse()); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("more than the address space: %v", err)
		}
	}
}

func TestNames(t *testing.T) {
	testkit.NeedKeptNames(t)
	system := testkit.LongestName()
	long := prefix + strings.Repeat("x", min(254, system)-len(prefix))
	longer := func(n int) error {
		if n > system {
			return syscall.ENAMETOOLONG
		}
		return fs.ErrNotExist
	}
	for _, tc := range []struct {
		name           string
		create, attach error // nil: works
	}{
		{prefix + "plain", nil, nil},
		{"/" + prefix + "slash", nil, nil},
		{prefix + "a b-c.d=e'\"$%", nil, nil},
		{long, nil, nil},
		{"/" + long, nil, nil},
		{long + "x", syscall.ENAMETOOLONG, longer(len(long) + 1)},
		{long + "xx", syscall.ENAMETOOLONG, longer(len(long) + 2)},
		{strings.Repeat("x", 5000), syscall.ENAMETOOLONG, syscall.ENAMETOOLONG},
		{"/", fs.ErrInvalid, fs.ErrInvalid},
		{".", fs.ErrInvalid, fs.ErrInvalid},
		{"..", fs.ErrInvalid, fs.ErrInvalid},
		{"/..", fs.ErrInvalid, fs.ErrInvalid},
		{"//" + prefix, fs.ErrInvalid, fs.ErrInvalid},
		{prefix + "/x", fs.ErrInvalid, fs.ErrInvalid},
		{prefix + "/", fs.ErrInvalid, fs.ErrInvalid},
		{"../shm/" + prefix, fs.ErrInvalid, fs.ErrInvalid},
		{prefix + "\x00x", fs.ErrInvalid, fs.ErrInvalid},
		{prefix + "a:b", fs.ErrInvalid, fs.ErrNotExist},
		{prefix + "a\nb", fs.ErrInvalid, fs.ErrNotExist},
		{".pyshm-" + prefix, fs.ErrInvalid, fs.ErrNotExist},
		{prefix + "é", fs.ErrInvalid, fs.ErrNotExist},
		{prefix + "\xff", fs.ErrInvalid, fs.ErrNotExist},
	} {
		m, err := pyshm.Create(tc.name, 1)
		if !errors.Is(err, tc.create) {
			t.Errorf("create %.40q: %v, want %v", tc.name, err, tc.create)
		}
		other, err := pyshm.Attach(tc.name)
		if !errors.Is(err, tc.attach) {
			t.Errorf("attach %.40q: %v, want %v", tc.name, err, tc.attach)
		}
		if other != nil && other.Name() != strings.TrimPrefix(tc.name, "/") {
			t.Errorf("name %q of %q", other.Name(), tc.name)
		}
		m.Close()
		other.Close()
		if err := pyshm.Unlink(tc.name); !errors.Is(err, tc.attach) {
			t.Errorf("unlink %.40q: %v, want %v", tc.name, err, tc.attach)
		}
	}
	if _, err := pyshm.Attach(""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("attach without a name: %v", err)
	}
	if err := pyshm.Unlink(""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("unlink without a name: %v", err)
	}
}

// Names that Go does not make can still be attached to.
func TestAttachForeignNames(t *testing.T) {
	testkit.NeedLinux(t)
	for _, name := range []string{prefix + "a:b", prefix + "é", prefix + "a\nb"} {
		if err := os.WriteFile(pathOf(name), []byte("python"), 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, attach(t, name), "python", 0)
		if err := pyshm.Unlink(name); err != nil {
			t.Error(err)
		}
	}
}

func TestTakenNameLeavesEverything(t *testing.T) {
	if !testkit.InPrivateShm(t, 8<<20) {
		return
	}
	first := create(t, 64)
	write(t, first, "first", 0)
	before := stat(t, first.Name())
	if _, err := pyshm.Create(first.Name(), 4096); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second Create: %v", err)
	}
	if diff := cmp.Diff(before, stat(t, first.Name())); diff != "" {
		t.Error(diff)
	}
	want(t, first, "first", 0)
	testkit.WantNames(t, first.Name())
}

func TestReplace(t *testing.T) {
	testkit.NeedLinux(t)
	old := create(t, 64)
	write(t, old, "old", 0)
	m, err := pyshm.Create(old.Name(), 4096, pyshm.Replace())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	write(t, m, "new", 0)

	want(t, old, "old", 0)
	other := attach(t, old.Name())
	want(t, other, "new", 0)
	if other.Size() != 4096 || old.Size() != 64 {
		t.Errorf("sizes %d and %d", other.Size(), old.Size())
	}
	if err := old.Unlink(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "another segment") {
		t.Errorf("unlink by the old handle: %v", err)
	}
	if _, err := old.Alias(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("alias by the old handle: %v", err)
	}
	if err := m.Unlink(); err != nil {
		t.Errorf("unlink by the new handle: %v", err)
	}
}

// Attach finds either the old segment or the new one, always complete.
func TestReplaceIsOneStep(t *testing.T) {
	testkit.NeedLinux(t)
	const size = 64 << 10
	name := create(t, size).Name()
	done := make(chan error, 1)
	go func() {
		for i := range 200 {
			m, err := pyshm.Create(name, size+i, pyshm.Replace())
			if err != nil {
				done <- err
				return
			}
			m.Close()
		}
		done <- pyshm.Unlink(name)
	}()
	attached := 0
	for {
		m, err := pyshm.Attach(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Size() < size {
			t.Errorf("size %d", m.Size())
		}
		m.Close()
		attached++
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if attached == 0 {
		t.Error("never attached")
	}
}

func TestAttachChangesNothing(t *testing.T) {
	m := create(t, 5000)
	write(t, m, "content", 100)
	before := stat(t, m.Name())
	content, err := os.ReadFile(pathOf(m.Name()))
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]pyshm.AttachOption{nil, {pyshm.ReadOnly()}} {
		other := attach(t, m.Name(), opts...)
		want(t, other, "content", 100)
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
	after := stat(t, m.Name())
	after.Atim = before.Atim // reading may set it, as for any file
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if now, err := os.ReadFile(pathOf(m.Name())); err != nil || !bytes.Equal(now, content) {
		t.Errorf("the content changed, %v", err)
	}
}

func TestFailedAttachChangesNothing(t *testing.T) {
	testkit.NeedLinux(t)
	for what, tc := range map[string]struct {
		prepare        func(path string) error
		want, readOnly error
	}{
		"missing": {func(string) error { return nil }, fs.ErrNotExist, fs.ErrNotExist},
		"empty":   {func(path string) error { return os.WriteFile(path, nil, 0o600) }, format.ErrIncomplete, format.ErrIncomplete},
		"huge": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<62))
		}, syscall.ENOMEM, syscall.ENOMEM},
		"directory":     {func(path string) error { return os.Mkdir(path, 0o700) }, syscall.EISDIR, fs.ErrInvalid},
		"FIFO":          {func(path string) error { return syscall.Mkfifo(path, 0o600) }, fs.ErrInvalid, fs.ErrInvalid},
		"symbolic link": {func(path string) error { return os.Symlink("/etc/passwd", path) }, syscall.ELOOP, syscall.ELOOP},
	} {
		t.Run(what, func(t *testing.T) {
			name := testkit.Name(t)
			if err := tc.prepare(pathOf(name)); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(pathOf(name))
			var before, after syscall.Stat_t
			errBefore := syscall.Lstat(pathOf(name), &before)
			if m, err := pyshm.Attach(name); !errors.Is(err, tc.want) {
				t.Errorf("Attach = %v, %v; want %v", m, err, tc.want)
			}
			if m, err := pyshm.Attach(name, pyshm.ReadOnly()); !errors.Is(err, tc.readOnly) {
				t.Errorf("read-only Attach = %v, %v; want %v", m, err, tc.readOnly)
			}
			errAfter := syscall.Lstat(pathOf(name), &after)
			if diff := cmp.Diff(before, after); diff != "" || errBefore != errAfter {
				t.Errorf("%v, %v\n%s", errBefore, errAfter, diff)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	m := create(t, 4096)
	write(t, m, "content", 0)
	other := attach(t, m.Name(), pyshm.ReadOnly())
	want(t, other, "content", 0)
	if n, err := other.WriteAt([]byte("x"), 0); n != 0 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	err := other.Guard(func() error {
		other.Bytes()[0] = 'x'
		return nil
	})
	if !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("writing to Bytes: %v", err)
	}
	want(t, m, "content", 0)
}

func TestReadAtWriteAtBounds(t *testing.T) {
	m := create(t, 100)
	write(t, m, "0123456789", 90)
	for _, tc := range []struct {
		off  int64
		size int
		n    int
		err  error
	}{
		{90, 10, 10, nil},
		{90, 0, 0, nil},
		{95, 10, 5, io.EOF},
		{100, 1, 0, io.EOF},
		{1 << 62, 1, 0, io.EOF},
		{-1, 1, 0, fs.ErrInvalid},
	} {
		p := make([]byte, tc.size)
		n, err := m.ReadAt(p, tc.off)
		if n != tc.n || !errors.Is(err, tc.err) || errors.Is(tc.err, io.EOF) && err != io.EOF {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v", tc.size, tc.off, n, err)
		}
		if n > 0 && string(p[:n]) != "0123456789"[tc.off-90:][:n] {
			t.Errorf("ReadAt(%d bytes, %d) read %q", tc.size, tc.off, p[:n])
		}
	}
	for _, off := range []int64{-1, 91, 100, 101, 1 << 62, 1<<63 - 1} {
		if n, err := m.WriteAt(make([]byte, 10), off); n != 0 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("WriteAt(10 bytes, %d) = %d, %v", off, n, err)
		}
	}
	want(t, m, "0123456789", 90)
	if n, err := m.WriteAt(nil, 100); n != 0 || err != nil {
		t.Errorf("WriteAt(no bytes, 100) = %d, %v", n, err)
	}
}

func TestCopiesDoNotAllocate(t *testing.T) {
	m := create(t, 4096)
	p := make([]byte, 4096)
	n := testing.AllocsPerRun(100, func() {
		m.ReadAt(p, 0)
		m.WriteAt(p, 0)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnlink(t *testing.T) {
	m := create(t, 64)
	if err := m.Unlink(); err != nil {
		t.Fatal(err)
	}
	write(t, m, "still there", 0)
	if err := m.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("second Unlink: %v", err)
	}
	if err := pyshm.Unlink(m.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Unlink by name: %v", err)
	}
	if _, err := pyshm.Attach(m.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Attach: %v", err)
	}
}

func TestUnlinkAfterClose(t *testing.T) {
	m := create(t, 64)
	m.Close()
	if err := m.Unlink(); err != nil {
		t.Error(err)
	}
}

func TestAlias(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	alias, err := m.Alias()
	if err != nil {
		t.Fatal(err)
	}
	other := attach(t, alias)
	write(t, other, "both", 0)
	want(t, m, "both", 0)

	// The worker's resource tracker unlinks the name that the worker knows.
	if err := pyshm.Unlink(alias); err != nil {
		t.Fatal(err)
	}
	attach(t, m.Name())

	if err := m.Unlink(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Alias(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("alias of an unlinked segment: %v", err)
	}
}

func TestZeroAndNil(t *testing.T) {
	for what, m := range map[string]*pyshm.SharedMemory{"nil": nil, "zero": {}} {
		if m.Name() != "" || m.Size() != 0 || m.Bytes() != nil || m.Close() != nil {
			t.Errorf("%s: name %q, size %d, bytes %v, Close %v", what, m.Name(), m.Size(), m.Bytes(), m.Close())
		}
		wantClosed(t, m)
		if err := m.Unlink(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: Unlink: %v", what, err)
		}
	}
}
