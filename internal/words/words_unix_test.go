//go:build unix

package words_test

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/words"
)

func TestAccess(t *testing.T) {
	p32, p64 := uint32(7), uint64(7<<40)
	if words.CompareAndSwap32(&p32, 8, 9) || words.CompareAndSwap64(&p64, 7, 9) {
		t.Error("swapped another value than the old one")
	}
	if !words.CompareAndSwap32(&p32, 7, 9) || !words.CompareAndSwap64(&p64, 7<<40, 9<<40) {
		t.Error("did not swap")
	}
	if words.Load32(&p32) != 9 || words.Load64(&p64) != 9<<40 {
		t.Errorf("%d, %d", p32, p64)
	}
	words.Store64(&p64, 11<<40)
	if words.Load64(&p64) != 11<<40 {
		t.Errorf("%d", p64)
	}
	words.StoreRelease64(&p64, 12<<40)
	if words.Load64(&p64) != 12<<40 {
		t.Errorf("%d", p64)
	}
	words.StoreLast64(&p64, 13<<40)
	if words.Load64(&p64) != 13<<40 {
		t.Errorf("%d", p64)
	}
}

func TestSwapIsAtomic(t *testing.T) {
	const goroutines, rounds = 4, 20000
	var sum32 uint32
	var sum64 uint64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range rounds {
				for v := words.Load32(&sum32); !words.CompareAndSwap32(&sum32, v, v+1); v = words.Load32(&sum32) {
				}
				for v := words.Load64(&sum64); !words.CompareAndSwap64(&sum64, v, v+1); v = words.Load64(&sum64) {
				}
			}
		})
	}
	all.Wait()
	if sum32 != goroutines*rounds || sum64 != goroutines*rounds {
		t.Errorf("%d and %d instead of %d", sum32, sum64, goroutines*rounds)
	}
}

// Every access to a missing word is a panic from which a program can recover, in race
// builds too.
func TestFaults(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "empty"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mem, err := syscall.Mmap(int(file.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	p32, p64 := (*uint32)(unsafe.Pointer(&mem[0])), (*uint64)(unsafe.Pointer(&mem[0]))
	for what, access := range map[string]func(){
		"Load32":           func() { words.Load32(p32) },
		"Load64":           func() { words.Load64(p64) },
		"Store64":          func() { words.Store64(p64, 1) },
		"StoreRelease64":   func() { words.StoreRelease64(p64, 1) },
		"StoreLast64":      func() { words.StoreLast64(p64, 1) },
		"CompareAndSwap32": func() { words.CompareAndSwap32(p32, 0, 1) },
		"CompareAndSwap64": func() { words.CompareAndSwap64(p64, 0, 1) },
	} {
		func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() {
				if _, ok := recover().(runtime.Error); !ok {
					t.Errorf("%s has not faulted", what)
				}
			}()
			access()
		}()
	}
}
