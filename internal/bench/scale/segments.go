//go:build linux

package main

import (
	"strconv"

	"github.com/pyshm-go/pyshm/pyshm"
)

const pattern = "pyshm_bench_*" // of names

// lists grows a list.
func lists() series {
	return series{
		name: "list", title: "A list of ints", x: "items",
		sizes: []int{10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000},
		bytes: func(items int) int { return 2*25*items + 8192 }, // one is made beside another
		measure: func(items int) (figures, error) {
			values := make([]int64, items)
			l, err := pyshm.CreateListOf(pattern, values)
			if err != nil {
				return nil, err
			}
			defer remove(l)
			var m measured
			few := max(1, min(100, 1_000_000/items))
			m.timed("create", few, func(int) error { return createAndRemove(values) })
			m.timed("copy all", few, func(int) error { _, err := l.CopyInts(values, 0); return err })
			m.timed("attach, close", 100, func(int) error { return attachAndClose(l.Name()) })
			m.timed("get the last", 10_000, func(int) error { _, err := l.Int(items - 1); return err })
			m.timed("set the last", 10_000, func(i int) error { return l.SetInt(items-1, int64(i)) })
			m.allocated("create allocates", func() error { return createAndRemove(values) })
			var attached []*pyshm.ShareableList
			m.grown("attach adds", 50, func(int) error {
				a, err := pyshm.AttachList(l.Name())
				if err == nil {
					attached = append(attached, a)
					_, err = a.Int(items - 1)
				}
				return err
			})
			for _, a := range attached {
				a.Close()
			}
			return m.figures, m.err
		},
	}
}

func createAndRemove(values []int64) error {
	l, err := pyshm.CreateListOf(pattern, values)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Unlink()
}

func attachAndClose(name string) error {
	l, err := pyshm.AttachList(name)
	if err != nil {
		return err
	}
	return l.Close()
}

// arrays grows an array of bytes.
func arrays() series {
	var sizes []int
	for _, bits := range []int{10, 13, 16, 20, 24, 28, 30, 32} {
		if bits < strconv.IntSize-1 {
			sizes = append(sizes, 1<<bits)
		}
	}
	return series{
		name: "array", title: "An array", x: "bytes", sizes: sizes,
		bytes: func(size int) int { return size + 1<<20 },
		measure: func(size int) (figures, error) {
			var m measured
			few := max(1, min(100, 1<<24/size))
			m.timed("create", few, func(int) error { return createArray(size) })
			m.timed("create, sparse", 100, func(int) error { return createArray(size, pyshm.Sparse()) })
			a, err := pyshm.CreateArray[uint8](pattern, []int{size})
			if err != nil {
				return nil, err
			}
			defer remove(a)
			attach := func(int) error {
				a, err := pyshm.AttachArray[uint8](a.Name())
				if err != nil {
					return err
				}
				return a.Close()
			}
			m.timed("attach, close", 100, attach)
			m.timed("get the last", 10_000, func(int) error { _, err := a.At(size - 1); return err })
			m.timed("set the last", 10_000, func(i int) error { return a.Set(uint8(i), size-1) })
			var attached []*pyshm.Array[uint8]
			m.grown("attach adds", 50, func(int) error {
				a, err := pyshm.AttachArray[uint8](a.Name())
				if err == nil {
					attached = append(attached, a)
					_, err = a.At(size - 1)
				}
				return err
			})
			for _, a := range attached {
				_ = a.Close()
			}
			return m.figures, m.err
		},
	}
}

func createArray(size int, opts ...pyshm.CreateOption) error {
	a, err := pyshm.CreateArray[uint8](pattern, []int{size}, opts...)
	if err != nil {
		return err
	}
	remove(a)
	return nil
}

func remove(h interface {
	Unlink() error
	Close() error
}) {
	_, _ = h.Unlink(), h.Close()
}

// segments attaches to more and more segments at a time.
func segments() series {
	return series{
		name: "segments", title: "Blocks of 4 KiB that a process has attached to", x: "segments",
		sizes: []int{10, 100, 1_000, 10_000, 30_000, 60_000},
		bytes: func(count int) int { return 4096 * count },
		measure: func(count int) (figures, error) {
			var all []*pyshm.SharedMemory
			defer func() {
				for _, s := range all {
					remove(s)
				}
			}()
			var m measured
			m.grown("each takes", count, func(int) error {
				s, err := pyshm.Create(pattern, 4096)
				if err == nil {
					all = append(all, s)
					_, err = s.WriteAt([]byte{1}, 0)
				}
				return err
			})
			if m.err != nil {
				return nil, m.err
			}
			m.timed("create, close, unlink", 100, func(int) error {
				s, err := pyshm.Create(pattern, 4096)
				if err != nil {
					return err
				}
				defer s.Close()
				return s.Unlink()
			})
			m.timed("attach, close", 100, func(i int) error {
				s, err := pyshm.Attach(all[i*7919%count].Name())
				if err != nil {
					return err
				}
				return s.Close()
			})
			buf := make([]byte, 8)
			m.timed("read 8 bytes", 10_000, func(i int) error { _, err := all[i*7919%count].ReadAt(buf, 0); return err })
			m.timed("list all, each", 1, func(int) error {
				for _, err := range pyshm.Segments() {
					if err != nil {
						return err
					}
				}
				return nil
			})
			last := &m.figures[len(m.figures)-1]
			last.Value /= float64(count)
			return m.figures, m.err
		},
	}
}
