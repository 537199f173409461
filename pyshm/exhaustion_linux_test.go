//go:build !posixshm

package pyshm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestFullMemory(t *testing.T) {
	testkit.NeedFaultAddress(t)
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	for _, size := range []int{2 << 20, math.MaxInt} {
		_, err := pyshm.Create(prefix+"big", size)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "enlarge /dev/shm") {
			t.Errorf("Create of %d bytes: %v", size, err)
		}
	}
	if _, err := pyshm.CreateListOf(prefix+"big", make([]int64, 80_000)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("CreateListOf of 2 MB: %v", err)
	}
	testkit.WantNames(t)

	// The failed segment leaves all memory to one that fits.
	half := create(t, 512<<10)
	write(t, half, "fits", 0)

	// The memory of a sparse segment may be missing later, which is an error too.
	sparse := create(t, 2<<20, pyshm.Sparse())
	_, err := sparse.WriteAt(bytes.Repeat([]byte{1}, 2<<20), 0)
	if !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("WriteAt = %v", err)
	}
}

// If /dev/shm has no limit, the available memory is the limit. Without it the kernel
// would kill processes.
func TestMemoryWithoutLimit(t *testing.T) {
	if !testkit.InPrivateShm(t, 0) {
		return
	}
	// If the size is not refused, this limit keeps it from filling the memory.
	limit := syscall.Rlimit{Cur: 64 << 20, Max: 64 << 20}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	all := (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit)
	if all > math.MaxInt {
		t.Skipf("no int is as large as %d bytes of memory", all)
	}
	for _, size := range []int{int(all), math.MaxInt} {
		_, err := pyshm.Create(prefix+"big", size)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Create of %d bytes: %v", size, err)
		}
	}
	testkit.WantNames(t)
	write(t, create(t, 4<<20), "fits", 0)
}

// The methods of a handle need no descriptor.
func TestOutOfDescriptors(t *testing.T) {
	m := create(t, 64)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 0, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, errAttach := pyshm.Attach(m.Name())
	_, errCreate := pyshm.Create(testkit.Name(t), 1)
	alias, errAlias := m.Alias()
	errAliasUnlink := pyshm.Unlink(alias)
	errClose := m.Close()
	errUnlink := m.Unlink()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(errAttach, syscall.EMFILE) || !errors.Is(errCreate, syscall.EMFILE) {
		t.Errorf("Attach: %v, Create: %v", errAttach, errCreate)
	}
	if err := errors.Join(errAlias, errAliasUnlink, errClose, errUnlink); err != nil {
		t.Error(err)
	}
}

// TestMemoryRunsOut fills a small /dev/shm from several goroutines until nothing
// fits any more, again and again. Create then fails. Go and Python can write to the
// last byte of the segments that it made before: missing memory would be an error for
// Go, and the end of Python.
func TestMemoryRunsOut(t *testing.T) {
	if !testkit.InPrivateShm(t, 8<<20) {
		return
	}
	seed := soak.Seed(t)
	python := startPython(t)
	var tally soak.Tally
	for round := range soak.Length(1, 200) {
		made := fillMemory(t, seed+uint64(round), &tally)
		var names []string
		for _, m := range made {
			names = append(names, m.Name())
		}
		testkit.WantNames(t, names...)
		for i, m := range made {
			if i%2 == 0 {
				overwriteInPython(t, python, m)
			}
			if _, err := m.WriteAt(bytes.Repeat([]byte{1}, m.Size()), 0); err != nil {
				t.Errorf("write to a segment that was made before the memory ran out: %v", err)
			}
			if err := errors.Join(m.Close(), m.Unlink()); err != nil {
				t.Error(err)
			}
		}
		testkit.WantNames(t)
	}
	t.Log(&tally)
}

// fillMemory makes segments until one does not fit, and returns the ones that fitted.
func fillMemory(t *testing.T, seed uint64, tally *soak.Tally) (made []*pyshm.SharedMemory) {
	var mu sync.Mutex
	var running sync.WaitGroup
	for i := range 3 {
		r := soak.Rand(seed, i)
		running.Go(func() {
			for refused := 0; refused < 3; {
				m, err := createAny(t, r)
				switch {
				case errors.Is(err, syscall.ENOSPC):
					refused++
					tally.Add("refused", 1)
				case err != nil:
					t.Error(err)
					return
				default:
					tally.Add("made", 1)
					mu.Lock()
					made = append(made, m)
					mu.Unlock()
				}
			}
		})
	}
	running.Wait()
	return made
}

// createAny creates a block or a list, of a few bytes or a few hundred KiB.
func createAny(t *testing.T, r *rand.Rand) (*pyshm.SharedMemory, error) {
	if r.IntN(2) == 0 {
		return pyshm.Create(testkit.Name(t), 1<<r.IntN(20)+r.IntN(1000))
	}
	l, err := pyshm.CreateList(testkit.Name(t), usedValues(r, 1<<r.IntN(8)))
	if err != nil {
		return nil, err
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	return l.SharedMemory(), nil
}

func overwriteInPython(t *testing.T, p *compat.Peer, m *pyshm.SharedMemory) {
	t.Helper()
	b, err := p.AttachBlock(m.Name())
	if err != nil {
		t.Fatal(err)
	}
	// If memory were missing, Python would die of SIGBUS and Exec would fail.
	if err := p.Exec(b.Var() + ".buf[:] = b'p' * " + b.Var() + ".size"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file system may have room for more bytes but not for more files.
func TestNamesRunOut(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20, "nr_inodes=8") {
		return
	}
	var names []string
	for {
		m, err := pyshm.Create(fmt.Sprintf("%s%d", prefix, len(names)), 1)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Error(err)
			}
			break
		}
		m.Close()
		names = append(names, m.Name())
	}
	testkit.WantNames(t, names...)
	if len(names) < 2 || len(names) > 8 {
		t.Fatalf("made %q", names)
	}
	for what, create := range map[string]func() error{
		"Replace":    func() error { _, err := pyshm.Create(names[0], 1, pyshm.Replace()); return err },
		"CreateList": func() error { _, err := pyshm.CreateList("", []any{1}); return err },
		"Alias":      func() error { _, err := attach(t, names[0]).Alias(); return err },
	} {
		if err := create(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := pyshm.Create(names[0], 1); !errors.Is(err, fs.ErrExist) { // as in Python
		t.Errorf("Create of a name that is taken: %v", err)
	}
	testkit.WantNames(t, names...)
	for _, name := range names {
		if err := pyshm.Unlink(name); err != nil {
			t.Error(err)
		}
	}
}

// TestFewDescriptors calls every function with fewer descriptors than it needs. The
// function works or returns an error, and leaves no name and no descriptor behind.
func TestFewDescriptors(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	m := create(t, 64)
	defer pyshm.Unlink(m.Name()) // another segment has the name by then
	l := createList(t, everyKind)
	listed := segment(t, l.Name())
	spare := takeDescriptors(t)
	operations := map[string]func() error{
		"Create":      func() error { return gone(pyshm.Create("", 64)) },
		"CreateList":  func() error { return gone(pyshm.CreateList("", everyKind)) },
		"Replace":     func() error { return closed(pyshm.Create(m.Name(), 64, pyshm.Replace())) },
		"Attach":      func() error { return closed(pyshm.Attach(m.Name())) },
		"AttachList":  func() error { return closed(pyshm.AttachList(l.Name(), pyshm.ReadOnly())) },
		"Inspect":     func() error { _, err := listed.Inspect(); return err },
		"Pids":        pidsOfAll,
		"read, write": func() error { _, err := l.Values(); return errors.Join(err, l.SetInt(0, 1)) },
	}
	for free := range 4 {
		for name, operation := range operations {
			err := operation()
			works := free > 0 || name == "read, write"
			if works && err != nil || !works && !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%s with %d descriptors: %v", name, free, err)
			}
		}
		if n := freeDescriptors(t); n != free {
			t.Errorf("%d descriptors are free, not %d", n, free)
		}
		syscall.Close(spare[free])
	}
	for _, fd := range spare[4:] {
		syscall.Close(fd)
	}
	testkit.WantNames(t, m.Name(), l.Name())
}

func pidsOfAll() error {
	for s, err := range pyshm.Segments() {
		if err == nil {
			_, err = s.Pids()
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// takeDescriptors takes all descriptors but a few.
func takeDescriptors(t *testing.T) (taken []int) {
	t.Helper()
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if errors.Is(err, syscall.EMFILE) {
			return taken
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, fd)
	}
}

// freeDescriptors counts how many more descriptors this process can open.
func freeDescriptors(t *testing.T) int {
	taken := takeDescriptors(t)
	for _, fd := range taken {
		syscall.Close(fd)
	}
	return len(taken)
}

// If the address space is used up, a segment that does not fit is refused, leaves
// nothing behind, and can be attached to later.
func TestOutOfAddressSpace(t *testing.T) {
	if !testkit.InPrivateShm(t, 4<<20) {
		return
	}
	const size = 256 << 20
	small, large := create(t, 4096), create(t, size, pyshm.Sparse())
	limit := syscall.Rlimit{Cur: addressSpace(t) + size/2, Max: math.MaxUint64}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Attach":     closed(pyshm.Attach(large.Name())),
		"AttachList": closed(pyshm.AttachList(large.Name())),
		"Create":     gone(pyshm.Create("", size, pyshm.Sparse())),
		"Replace":    closed(pyshm.Create(small.Name(), size, pyshm.Sparse(), pyshm.Replace())),
	} {
		if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "no room in the address space") {
			t.Errorf("%s: %v", what, err)
		}
	}
	testkit.WantNames(t, small.Name(), large.Name())
	if err := closed(pyshm.Attach(small.Name())); err != nil {
		t.Error(err)
	}
	if err := large.Close(); err != nil { // Close needs no room
		t.Error(err)
	}
	limit.Cur = math.MaxUint64
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		t.Fatal(err)
	}
	if err := closed(pyshm.Attach(large.Name())); err != nil {
		t.Error(err)
	}
}

// addressSpace returns how many bytes of address space this process uses.
func addressSpace(t *testing.T) uint64 {
	t.Helper()
	bytes, err := usedAddresses()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// Create refuses sizes beyond all memory and all address space at once, and before
// there is a name.
func TestHugeSizes(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	if bits.UintSize < 64 {
		t.Skip("an int is not huge here")
	}
	sizes := []int{math.MaxInt, math.MaxInt - 4095, math.MaxInt/2 + 1, math.MaxInt>>15 + 1}
	for _, size := range sizes {
		if _, err := pyshm.Create("", size); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Create of %d bytes: %v", size, err)
		}
		if _, err := pyshm.Create("", size, pyshm.Sparse()); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("Create of %d bytes, sparse: %v", size, err)
		}
		name := testkit.Name(t)
		if err := errors.Join(os.WriteFile(pathOf(name), nil, 0o600), os.Truncate(pathOf(name), int64(size))); err != nil {
			t.Fatal(err)
		}
		if _, err := pyshm.Attach(name); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("Attach to %d bytes: %v", size, err)
		}
		testkit.WantNames(t, name)
		os.Remove(pathOf(name))
	}
}

// The longest names that every Python allows work like others.
func TestLongestNames(t *testing.T) {
	longest := prefix + strings.Repeat("n", 254-len(prefix))
	l, err := pyshm.CreateList(longest, everyKind)
	if err != nil {
		t.Fatal(err)
	}
	defer pyshm.Unlink(longest)
	defer l.Close()
	alias, err := l.SharedMemory().Alias()
	if err := errors.Join(err, pyshm.Unlink(alias)); err != nil {
		t.Error(err)
	}
	if err := closed(pyshm.CreateList(longest, everyKind, pyshm.Replace())); err != nil {
		t.Error(err)
	}
	if err := closed(pyshm.AttachList(longest)); err != nil {
		t.Error(err)
	}
	for _, opts := range [][]pyshm.ListOption{nil, {pyshm.Replace()}} {
		if err := closed(pyshm.CreateList(longest+"n", everyKind, opts...)); !errors.Is(err, syscall.ENAMETOOLONG) {
			t.Errorf("a longer name: %v", err)
		}
	}
	python := startPython(t)
	if err := closed(pyshm.CreateList(longest, everyKind, pyshm.Replace(), layoutOf(python))); err != nil {
		t.Error(err)
	}
	if _, err := python.AttachList(longest); err != nil {
		t.Error(err)
	}
}

// A giant is a file of terabytes that takes almost no memory. It has words of a list at
// the given offsets, and zeros elsewhere.
type giant struct {
	name  string
	words map[int64]uint64
	reads error // the error of reading item 0, if the list can be attached to
	want  error // the error of attaching, if not
}

const (
	giantSize  = 1 << 40
	giantItems = giantSize / 64 // the table has 1/8 of the size, and the data 1/8
)

var giants = []giant{
	{name: "nothing", want: format.ErrIncomplete},
	{name: "as many items as fit", words: map[int64]uint64{0: (giantSize - 8) / 25}, want: format.ErrIncomplete},
	{name: "one item more", words: map[int64]uint64{0: (giantSize-8)/25 + 1}, want: format.ErrCorrupt},
	{name: "a negative count", words: map[int64]uint64{0: math.MaxUint64}, want: format.ErrCorrupt},
	{name: "an offsets table", words: offsetsGiant(nil), want: format.ErrIncomplete},
	{name: "a format", words: offsetsGiant(map[int64]uint64{giantFormats: 'q'}), reads: format.ErrCorrupt},
	{name: "an item", words: offsetsGiant(map[int64]uint64{giantFormats: 'q', 16: 8}), reads: nil},
	{name: "two items and a gap", words: offsetsGiant(map[int64]uint64{giantFormats: 'q', 16: 8, 24: 8 * giantItems}), reads: nil},
	{name: "a slot of everything", words: offsetsGiant(map[int64]uint64{giantFormats: '9' | 's'<<8, 16: 8 * giantItems}), reads: format.ErrCorrupt},
	{name: "one size", words: map[int64]uint64{0: giantItems, 8: 8}, want: format.ErrIncomplete},
	{name: "a size of everything", words: map[int64]uint64{0: 1, 8: giantSize - 64, giantSize - 16 - 32: 'q'}, reads: format.ErrCorrupt},
	{name: "a size of more", words: map[int64]uint64{0: 2, 8: giantSize - 8, 16: giantSize - 8}, want: format.ErrCorrupt},
}

const giantFormats = 8 + 8*(giantItems+1) + 8*giantItems

// offsetsGiant returns the words of a list of giantItems items of 8 bytes each, in the
// layout of CPython 3.9. Only the last offset is written.
func offsetsGiant(more map[int64]uint64) map[int64]uint64 {
	words := map[int64]uint64{0: giantItems, 8 + 8*giantItems: 8 * giantItems}
	maps.Copy(words, more)
	return words
}

// TestGiants attaches to lists whose headers claim the whole giant. That takes no more
// memory than the pages that the giant's maker has written: neither memory of Go, nor
// the shared memory that reading an empty page takes.
func TestGiants(t *testing.T) {
	if !testkit.InPrivateShm(t, 4<<20) {
		return
	}
	if bits.UintSize < 64 {
		t.Skip("no list of terabytes fits into this address space")
	}
	for _, g := range giants {
		name := testkit.Name(t)
		makeGiant(t, name, g)
		paid := stat(t, name).Blocks
		const limit = 64 << 10
		taken := alloctest.Least(limit, func() {
			l, err := pyshm.AttachList(name)
			if !errors.Is(err, g.want) {
				t.Errorf("%s: AttachList: %v, want %v", g.name, err, g.want)
			}
			if err == nil {
				useGiant(t, l, g)
			}
			if c, err := segment(t, name).Inspect(); err != nil || c.Kind != pyshm.KindBlock {
				t.Errorf("%s: Inspect = %v, %v", g.name, c, err)
			}
		})
		shared := 512 * (stat(t, name).Blocks - paid)
		t.Logf("%s: %d bytes allocated, %d bytes of shared memory taken", g.name, taken, shared)
		if taken > limit || shared > 16*int64(os.Getpagesize()) {
			t.Errorf("%s: too much", g.name)
		}
		os.Remove(pathOf(name))
	}
}

func useGiant(t *testing.T, l *pyshm.ShareableList, g giant) {
	defer l.Close()
	if _, err := l.Get(0); !errors.Is(err, g.reads) {
		t.Errorf("%s: Get(0): %v, want %v", g.name, err, g.reads)
	}
	if formats := l.Format(); len(formats) > 2 {
		t.Errorf("%s: Format has %d characters", g.name, len(formats))
	}
	_, errValues := l.Values()
	_, errIndex := l.Index("not there")
	_, errView := l.ViewInts()
	for what, err := range map[string]error{
		"Values": errValues, "Index": errIndex, "ViewInts": errView, "Check": l.Check(), "Set": l.Set(l.Len()-1, 1),
	} {
		if !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: %s: %v", g.name, what, err)
		}
	}
}

func makeGiant(t *testing.T, name string, g giant) {
	t.Helper()
	f, err := os.OpenFile(pathOf(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.Truncate(giantSize)
	for off, word := range g.words {
		_, errWrite := f.WriteAt(binary.NativeEndian.AppendUint64(nil, word), off)
		err = errors.Join(err, errWrite)
	}
	if err != nil {
		t.Fatal(err)
	}
}
