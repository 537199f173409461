//go:build unix

package pyshm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestClose(t *testing.T) {
	m := create(t, 5000)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	wantClosed(t, m)
	if m.Size() != 5000 || !strings.HasPrefix(m.Name(), prefix) {
		t.Errorf("size %d, name %q", m.Size(), m.Name())
	}
}

// Close gives the shared memory back at once, even if the caller still holds a slice.
func TestCloseGivesMemoryBack(t *testing.T) {
	m := create(t, 4096)
	memory := m.Bytes()
	if n := mappingsOf(t, m.Name()); n != 1 {
		t.Fatalf("mapped %d times", n)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if n := mappingsOf(t, m.Name()); n != 0 {
		t.Errorf("mapped %d times after Close", n)
	}
	runtime.KeepAlive(memory)
}

// All readers and writers that Close overtakes get an error, and never other memory.
func TestCloseWhileInUse(t *testing.T) {
	rounds, late := soak.Length(100, 1000), atomic.Int64{}
	for range rounds {
		m := create(t, 64<<10)
		var users sync.WaitGroup
		var started atomic.Int64
		for i := range 4 {
			users.Go(func() {
				p := make([]byte, 64<<10)
				for {
					call := m.ReadAt
					if i%2 == 0 {
						call = m.WriteAt
					}
					started.Add(1)
					if _, err := call(p, 0); err != nil {
						if !errors.Is(err, fs.ErrClosed) {
							t.Error(err)
						}
						late.Add(1)
						return
					}
					if bytes.Count(p, []byte{0}) != len(p) {
						t.Error("read memory that was never in the segment")
						return
					}
				}
			})
		}
		for started.Load() < 20 {
			runtime.Gosched()
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		users.Wait()
		m.Unlink()
	}
	if late.Load() != int64(4*rounds) {
		t.Errorf("%d late calls, want %d", late.Load(), 4*rounds)
	}
}

// A goroutine that is reading raw memory when Close begins faults there. Each round is
// one late read.
func TestCloseBelowRawReader(t *testing.T) {
	m := create(t, 4096)
	rounds, faults := soak.Length(2000, 20_000), 0
	for range rounds {
		other, err := pyshm.Attach(m.Name())
		if err != nil {
			t.Fatal(err)
		}
		memory := other.Bytes()
		result := make(chan error)
		reading := make(chan bool)
		go func() {
			result <- other.Guard(func() error {
				close(reading)
				for sum := byte(0); ; {
					for _, b := range memory {
						sum += b
					}
					if sum != 0 {
						return errors.New("read memory that was never in the segment")
					}
				}
			})
		}()
		<-reading
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-result; errors.Is(err, fs.ErrClosed) {
			faults++
		} else {
			t.Fatal(err)
		}
	}
	if faults != rounds {
		t.Errorf("%d of %d reads became fs.ErrClosed", faults, rounds)
	}
}

// A forgotten handle gives its memory back.
func TestForgottenHandle(t *testing.T) {
	m := create(t, 4096)
	if _, err := pyshm.Attach(m.Name()); err != nil {
		t.Fatal(err)
	}
	if n := mappingsOf(t, m.Name()); n != 2 {
		t.Fatalf("mapped %d times", n)
	}
	testkit.Eventually(t, "unmapping", func() bool {
		runtime.GC()
		return mappingsOf(t, m.Name()) == 1
	})
}

// A forgotten handle keeps its memory if a slice of raw memory may still be in use.
func TestForgottenHandleWithRawMemory(t *testing.T) {
	m := create(t, 4096)
	for what, raw := range map[string]func(*pyshm.SharedMemory) []byte{
		"Bytes": (*pyshm.SharedMemory).Bytes,
		"View": func(m *pyshm.SharedMemory) []byte {
			b, _ := pyshm.View[uint8](m, 0, 4096)
			return b
		},
	} {
		other, err := pyshm.Attach(m.Name())
		if err != nil {
			t.Fatal(err)
		}
		memory := raw(other)
		collected := make(chan bool)
		runtime.AddCleanup(other, func(c chan bool) { close(c) }, collected)
		testkit.Eventually(t, "collection", func() bool {
			runtime.GC()
			select {
			case <-collected:
				return true
			default:
				return false
			}
		})
		runtime.GC() // cleanups run one by one: the first handle's cleanup has had its time now
		time.Sleep(10 * time.Millisecond)
		write(t, m, what, 0)
		if !bytes.HasPrefix(memory, []byte(what)) {
			t.Errorf("%s lost its memory", what)
		}
		unmap(t, memory)
	}
}

// A mapping is one entry in the map of the address space, and a process may have 65530
// entries. Closed handles must not add up.
func TestManyAttachments(t *testing.T) {
	m := create(t, 4096)
	cycles := soak.Length(2000, 200_000)
	for _, raw := range []bool{false, true} {
		before := countMappings(t)
		attachAndClose(t, m.Name(), cycles, raw)
		added := countMappings(t) - before
		// Some mappings always wait for their cleanup, on a busy machine more than
		// usual. More cycles must not add to them.
		for range 10 {
			if added <= 200 {
				break
			}
			attachAndClose(t, m.Name(), cycles/10, raw)
			added = countMappings(t) - before
		}
		t.Logf("raw %v: %d cycles added %d mappings", raw, cycles, added)
		if added > 200 {
			t.Errorf("raw %v: %d cycles added %d mappings", raw, cycles, added)
		}
	}
}

func attachAndClose(t *testing.T, name string, times int, raw bool) {
	t.Helper()
	for range times {
		m, err := pyshm.Attach(name)
		if err != nil {
			t.Fatal(err)
		}
		if raw {
			m.Bytes()[0]++
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A call that fails leaves no mapping, not even until the next garbage collection.
func TestFailuresMapNothing(t *testing.T) {
	testkit.NeedLinux(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	directory := testkit.Name(t)
	noError(t, os.Mkdir(pathOf(directory), 0o700))
	defer os.Remove(pathOf(directory))
	incomplete, taken := createCondition(t), testkit.Name(t)
	noError(t, pyshm.Unlink("sem."+incomplete.Name()+".wait"))
	part := keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(taken+".sleeping", 0))
	busy := createList(t, []any{1})
	copy(busy.SharedMemory().Bytes()[busy.SharedMemory().Size()-9:], " \x00")

	for what, fails := range map[string]func() error{
		"Create":            func() error { return closed(pyshm.Create(directory, 1<<20, pyshm.Replace())) },
		"AttachCondition":   func() error { return closed(pyshm.AttachCondition(incomplete.Name())) },
		"CreateCondition":   func() error { return closed(pyshm.CreateCondition(taken)) },
		"AttachListContext": func() error { return closed(pyshm.AttachListContext(within(t, 50*time.Millisecond), busy.Name())) },
	} {
		before := countSegments(t)
		if err := fails(); err == nil {
			t.Errorf("%s: no error", what)
		}
		if after := countSegments(t); after != before {
			t.Errorf("%s: %d mappings, and %d before", what, after, before)
		}
	}
	wantState(t, part, 0, 0)
}

// countSegments counts the mappings of segments, unlinked ones included.
func countSegments(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	noError(t, err)
	return bytes.Count(maps, []byte(" /dev/shm/"))
}

// Attach refuses to take the mappings that the Go runtime needs. If there are none left,
// Close returns an error, and can be repeated.
func TestTooManyMappings(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	m := create(t, 4096)
	var handles []*pyshm.SharedMemory
	errAttach := error(nil)
	for errAttach == nil {
		if len(handles) == 200_000 {
			t.Skipf("%d mappings are not too many here", len(handles))
		}
		var other *pyshm.SharedMemory
		if other, errAttach = pyshm.Attach(m.Name()); errAttach == nil {
			handles = append(handles, other)
		}
	}
	if !errors.Is(errAttach, syscall.ENOMEM) || !strings.Contains(errAttach.Error(), "too many mappings") {
		t.Errorf("Attach: %v", errAttach)
	}
	t.Logf("%d handles; %v", len(handles), errAttach)
	growRuntime()

	// Forgotten handles free their mappings as closed ones do.
	clear(handles[:len(handles)/2])
	handles = handles[len(handles)/2:]
	testkit.Eventually(t, "room for another mapping", func() bool {
		other, err := pyshm.Attach(m.Name())
		if err == nil {
			handles = append(handles, other)
		}
		return err == nil
	})

	last := handles[len(handles)-1]
	ballast := mapAll()
	errClose := last.Close()
	for _, b := range ballast {
		if err := syscall.Munmap(b); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d mappings of others; %v", len(ballast), errClose)
	if errClose != nil {
		if !errors.Is(errClose, syscall.ENOMEM) {
			t.Errorf("Close: %v", errClose)
		}
		want(t, last, "\x00", 0)
	}
	for _, other := range handles {
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, other)
	}
}

// growRuntime makes the Go runtime map memory for threads and the heap.
func growRuntime() {
	var threads sync.WaitGroup
	for range 50 {
		threads.Go(func() {
			runtime.LockOSThread()
			time.Sleep(10 * time.Millisecond)
		})
	}
	var heap [][]byte
	for range 100 {
		heap = append(heap, make([]byte, 1<<20))
	}
	runtime.GC()
	runtime.KeepAlive(heap)
	threads.Wait()
}

// mapAll takes all remaining mappings, such that they do not merge.
func mapAll() (ballast [][]byte) {
	ballast = make([][]byte, 0, 100_000)
	for len(ballast) < cap(ballast) {
		b, err := syscall.Mmap(-1, 0, 4096, len(ballast)%2, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			break
		}
		ballast = append(ballast, b)
	}
	return ballast
}

func countMappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte("\n"))
}

// mappingsOf counts how often this process maps a segment. It compares inodes, because
// the path in the map is the path with which the file was opened.
func mappingsOf(t *testing.T, name string) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, fmt.Appendf(nil, " %d ", stat(t, name).Ino))
}

// unmap frees the addresses of raw memory, which only a test may do.
func unmap(t *testing.T, memory []byte) {
	t.Helper()
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	if _, _, errno := syscall.Syscall(syscall.SYS_MUNMAP, addr, uintptr(len(memory)), 0); errno != 0 {
		t.Error(errno)
	}
}
