//go:build !posixshm

package pyshm_test

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A cycle attaches to the segment that has the name, uses it, and closes the handle or
// forgets it.
var cycles = map[string]func(name string) error{
	"ReadAt": onBlock(func(m *pyshm.SharedMemory) error {
		_, err := m.ReadAt(make([]byte, 8), 0)
		return err
	}),
	"WithBytes": onBlock(func(m *pyshm.SharedMemory) error {
		return m.WithBytes(func(b []byte) error { b[len(b)-1]++; return nil })
	}),
	"WithView": onBlock(func(m *pyshm.SharedMemory) error {
		return pyshm.WithView(m, 8, m.Size()/8-1, func(v []int64) error { v[len(v)-1]++; return nil })
	}),
	"list": func(name string) error {
		l, err := pyshm.AttachList(name)
		if err != nil {
			return err
		}
		_, err = l.Values()
		errBatch := l.Batch(func(l *format.List) error { return l.SetInt(0, 2) })
		return errors.Join(err, errBatch, l.Close())
	},
	"array": func(name string) error {
		a, err := pyshm.AttachArray[int64](name + "_array")
		if err != nil {
			return err
		}
		last := a.Len() - 1
		_, errAt := a.At(last)
		_, errCopy := a.CopyTo(make([]int64, 3))
		return errors.Join(errAt, errCopy, a.Set(1, last),
			a.Guard(func(all []int64) error { all[last]++; return nil }),
			a.SharedMemory().Guard(func() error {
				for _, row := range a.Rows() {
					row[last]++
				}
				return nil
			}), a.Close())
	},
	"array in a block": onBlock(func(m *pyshm.SharedMemory) error {
		a, err := pyshm.ViewArray[int32](m, pyshm.ArrayInfo{Shape: []int{2, 3}, Dtype: "int32", Offset: 4096})
		if err != nil {
			return err
		}
		return a.Set(7, 1, 2)
	}),
	"CreateArray": func(name string) error {
		return gone(pyshm.CreateArray[[1 << 10]int64](name+"_new_array", []int{cycleSize >> 13}, pyshm.Sparse()))
	},
	"lock": func(name string) error {
		l, err := pyshm.CreateLock("")
		if err != nil {
			return err
		}
		_, err = l.TryAcquire()
		return errors.Join(err, l.Release(), l.Close(), l.Unlink())
	},
	"Create": func(name string) error {
		return gone(pyshm.Create(name+"_new", cycleSize, pyshm.Sparse()))
	},
	"no Close": func(name string) error {
		_, err := pyshm.Attach(name)
		return err
	},
}

func onBlock(use func(m *pyshm.SharedMemory) error) func(name string) error {
	return func(name string) error {
		m, err := pyshm.Attach(name)
		if err != nil {
			return err
		}
		return errors.Join(use(m), m.Close())
	}
}

const cycleSize = 33 << 20

func init() {
	// The collector runs only when the library starts it.
	testkit.Roles["cycles"] = func(args []string, _ <-chan string) error {
		debug.SetGCPercent(-1)
		name, kind := args[0], args[1]
		if bits.UintSize == 64 { // else the addresses are few already
			// Few addresses are free, compared with those that other code of the process
			// has taken.
			const flags = syscall.MAP_PRIVATE | syscall.MAP_ANON | syscall.MAP_NORESERVE
			if _, err := syscall.Mmap(-1, 0, 1<<(bits.UintSize/2+4), syscall.PROT_NONE, flags); err != nil {
				return err
			}
			used, err := usedAddresses()
			if err != nil {
				return err
			}
			limit := syscall.Rlimit{Cur: used + 1<<30, Max: math.MaxUint64}
			if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
				return err
			}
		}
		for n := range soak.Length(700, 40_000) {
			if err := cycles[kind](name); err != nil {
				return fmt.Errorf("cycle %d: %w", n, err)
			}
		}
		maps, err := os.ReadFile("/proc/self/maps")
		fmt.Println(strings.Count(string(maps), "\n"))
		return err
	}
}

// TestCyclesRunForever attaches so often that the addresses do not suffice for all
// handles, and closes or forgets each handle.
func TestCyclesRunForever(t *testing.T) {
	m := create(t, cycleSize, pyshm.Sparse())
	list, err := format.Encode([]any{1, "two"}, nil)
	noError(t, err)
	write(t, m, string(list), 0)
	keep[*pyshm.Array[int64]](t)(pyshm.CreateArray[int64](m.Name()+"_array", []int{cycleSize / 8}, pyshm.Sparse()))
	for kind := range cycles {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			entries := 0
			if _, err := fmt.Sscan(testkit.StartChild(t, "cycles", m.Name(), kind).End(t), &entries); err != nil || entries > 300 {
				t.Errorf("%d entries in the map at the end, %v", entries, err)
			}
		})
	}
}

func usedAddresses() (bytes uint64, err error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &bytes)
	}
	return bytes * uint64(os.Getpagesize()), err
}
