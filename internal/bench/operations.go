//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func operations() []operation {
	ops := append(singleItems(), manyItems()...)
	for _, size := range []struct {
		length                 int
		attach, attachAndClose float64
	}{{10, 2.5, 2}, {1_000_000, 10_000, 6_000}} {
		ops = append(ops, attaching(size.length, size.attach, size.attachAndClose)...)
	}
	return append(append(ops, creating()...), others()...)
}

// withList starts an operation on a list.
func withList(values []any, op func(l *pyshm.ShareableList, n int) error) func(string) (func(int) error, func(), error) {
	return func(name string) (func(int) error, func(), error) {
		l, err := pyshm.CreateList(name, values)
		if err != nil {
			return nil, nil, err
		}
		return func(n int) error { return op(l, n) }, func() {
			l.Close()
			l.Unlink() // or the Python's resource tracker
		}, nil
	}
}

const attachInPython = "sl = ShareableList(name=NAME)"

// The loops are written out: a call of a function for each round would be measured too.
func singleItems() []operation {
	values := []any{1, 2.5, "12345", strings.Repeat("x", 100)}
	one := func(name string, goal float64, python string, op func(l *pyshm.ShareableList, n int) error) operation {
		return operation{name: name, goal: goal, setup: attachInPython, python: python, start: withList(values, op)}
	}
	return []operation{
		one("get int", 130, "sl[0]", func(l *pyshm.ShareableList, n int) error {
			for range n {
				if _, err := l.Int(0); err != nil {
					return err
				}
			}
			return nil
		}),
		one("set int", 190, "sl[0] = 5", func(l *pyshm.ShareableList, n int) error {
			for range n {
				if err := l.SetInt(0, 5); err != nil {
					return err
				}
			}
			return nil
		}),
		one("get int in Batch", 400, "sl[0]", func(l *pyshm.ShareableList, n int) error {
			return l.Batch(func(l *format.List) error {
				for range n {
					if _, err := l.Int(0); err != nil {
						return err
					}
				}
				return nil
			})
		}),
		one("set int in Batch", 500, "sl[0] = 5", func(l *pyshm.ShareableList, n int) error {
			return l.Batch(func(l *format.List) error {
				for range n {
					if err := l.SetInt(0, 5); err != nil {
						return err
					}
				}
				return nil
			})
		}),
		one("get str of 5 bytes", 40, "sl[2]", getStr(2)),
		one("get str of 100 bytes", 25, "sl[3]", getStr(3)),
		one("append str of 5 bytes", 70, "sl[2]", func(l *pyshm.ShareableList, n int) (err error) {
			var buf []byte
			for range n {
				if buf, err = l.AppendStr(buf[:0], 2); err != nil {
					return err
				}
			}
			return nil
		}),
		one("set str of 5 bytes", 100, "sl[2] = 'other'", func(l *pyshm.ShareableList, n int) error {
			for range n {
				if err := l.SetStr(2, "other"); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

func getStr(i int) func(l *pyshm.ShareableList, n int) error {
	return func(l *pyshm.ShareableList, n int) error {
		for range n {
			if _, err := l.Str(i); err != nil {
				return err
			}
		}
		return nil
	}
}

func manyItems() []operation {
	const million, tenth = 1_000_000, 100_000
	ints, few, strs := make([]any, million), make([]any, 10_000), make([]any, tenth)
	for i := range ints {
		ints[i] = int64(i) * 1000
	}
	copy(few, ints)
	for i := range strs {
		strs[i] = fmt.Sprint("item number ", i)
	}
	into := make([]int64, million)
	many := func(name string, goal float64, values []any, python, c string, op func(l *pyshm.ShareableList) error) operation {
		return operation{
			name: name, goal: goal, items: len(values), setup: attachInPython, python: python, c: c,
			start: withList(values, func(l *pyshm.ShareableList, n int) error {
				for range n {
					if err := op(l); err != nil {
						return err
					}
				}
				return nil
			}),
		}
	}
	lastInt, lastStr := ints[tenth-1], strs[tenth-1]
	return []operation{
		many("All, 10,000 ints", 55, few, "for _ in sl: pass", "", func(l *pyshm.ShareableList) error {
			for _, err := range l.All() {
				if err != nil {
					return err
				}
			}
			return nil
		}),
		many("CopyInts, 1M", 700, ints, "list(sl)", "copy NAME", func(l *pyshm.ShareableList) error { _, err := l.CopyInts(into, 0); return err }),
		many("Values, 1M ints", 60, ints, "list(sl)", "", func(l *pyshm.ShareableList) error { _, err := l.Values(); return err }),
		many("Index of the last of 100k ints", 800, ints[:tenth], "sl.index("+format.Repr(lastInt)+")", "index NAME "+format.Repr(lastInt),
			func(l *pyshm.ShareableList) error { _, err := l.Index(lastInt); return err }),
		many("Count of an int in 100k", 800, ints[:tenth], "sl.count(5000)", "", func(l *pyshm.ShareableList) error { _, err := l.Count(5000); return err }),
		many("Index of the last of 100k strs", 500, strs, "sl.index("+format.Repr(lastStr)+")", "",
			func(l *pyshm.ShareableList) error { _, err := l.Index(lastStr); return err }),
		many("Count of a str in 100k", 500, strs, "sl.count('item number 7')", "", func(l *pyshm.ShareableList) error { _, err := l.Count("item number 7"); return err }),
	}
}

func attaching(length int, attach, attachAndClose float64) []operation {
	start := func(end func(*pyshm.ShareableList) error) func(string) (func(int) error, func(), error) {
		return func(name string) (func(int) error, func(), error) {
			l, err := pyshm.CreateListOf(name, make([]int64, length))
			if err != nil {
				return nil, nil, err
			}
			return func(n int) error {
				for range n {
					l, err := pyshm.AttachList(name)
					if err != nil {
						return err
					}
					if err := end(l); err != nil {
						return err
					}
				}
				return nil
			}, func() { l.Close(); l.Unlink() }, nil
		}
	}
	items := fmt.Sprintf(", %d items", length)
	return []operation{
		{
			name: "attach" + items, goal: attach, most: 200, c: "attach NAME",
			start: start(func(*pyshm.ShareableList) error { return nil }),
			setup: "kept = []", python: "kept.append(ShareableList(name=NAME))", after: "kept.clear()",
		},
		{
			name: "attach and close" + items, goal: attachAndClose, most: 2000, c: "attach_close NAME",
			start: start((*pyshm.ShareableList).Close), python: "_a = ShareableList(name=NAME)\n_a.shm.close()",
		},
	}
}

func creating() []operation {
	const million = 1_000_000
	ints, mixed := make([]int64, million), make([]any, million)
	for i := range ints {
		ints[i] = int64(i)
		mixed[i] = []any{i, float64(i), "item number", nil}[i%4]
	}
	one := func(name string, goal float64, setup, c string, create func(name string) (*pyshm.ShareableList, error)) operation {
		return operation{
			name: name, goal: goal, items: million, c: c,
			setup: setup, python: "_l = ShareableList(values)\n_l.shm.close()\n_l.shm.unlink()",
			start: func(name string) (func(int) error, func(), error) {
				return func(n int) error {
					for range n {
						l, err := create(name)
						if err != nil {
							return err
						}
						l.Close()
						l.Unlink()
					}
					return nil
				}, func() {}, nil
			},
		}
	}
	return []operation{
		one("CreateListOf, 1M ints", 50, fmt.Sprintf("values = list(range(%d))", million), fmt.Sprint("create NAME ", million),
			func(name string) (*pyshm.ShareableList, error) { return pyshm.CreateListOf(name, ints) }),
		one("CreateList, 1M mixed", 25, fmt.Sprintf("values = [(i, float(i), 'item number', None)[i %% 4] for i in range(%d)]", million), "",
			func(name string) (*pyshm.ShareableList, error) { return pyshm.CreateList(name, mixed) }),
	}
}

func others() []operation {
	return []operation{
		{
			name: "SharedMemory attach, close", goal: 2.5, most: 2000, c: "attach_block NAME",
			python: "_m = SharedMemory(NAME)\n_m.close()",
			start: func(name string) (func(int) error, func(), error) {
				m, err := pyshm.Create(name, 4096)
				if err != nil {
					return nil, nil, err
				}
				return func(n int) error {
					for range n {
						m, err := pyshm.Attach(name)
						if err != nil {
							return err
						}
						m.Close()
					}
					return nil
				}, func() { m.Close(); m.Unlink() }, nil
			},
		},
		{
			name: "SharedMemory create, close, unlink", goal: 1.8, most: 2000, c: "create_block NAME",
			python: "_m = SharedMemory(create=True, size=4096)\n_m.close()\n_m.unlink()",
			start: func(name string) (func(int) error, func(), error) {
				return func(n int) error {
					for range n {
						m, err := pyshm.Create(name, 4096)
						if err != nil {
							return err
						}
						m.Close()
						m.Unlink()
					}
					return nil
				}, func() {}, nil
			},
		},
		{
			name: "lock acquire and release", goal: 8, c: "lock NAME",
			setup: "lock = Lock()", python: "with lock: pass",
			start: func(name string) (func(int) error, func(), error) {
				l, err := pyshm.CreateLock(name)
				if err != nil {
					return nil, nil, err
				}
				return func(n int) error {
					for range n {
						if err := l.Acquire(context.Background()); err != nil {
							return err
						}
						if err := l.Release(); err != nil {
							return err
						}
					}
					return nil
				}, func() { l.Close(); l.Unlink() }, nil
			},
		},
		{
			name: "lock, add 1 to an int, release", goal: 80,
			setup: "lock = Lock()\n" + attachInPython, python: "with lock: sl[0] += 1",
			start: addUnderLock,
		},
	}
}

// addUnderLock has a list and a lock of one name.
func addUnderLock(name string) (func(int) error, func(), error) {
	lock, err := pyshm.CreateLock(name)
	if err != nil {
		return nil, nil, err
	}
	end := func() { lock.Close(); lock.Unlink() }
	list, err := pyshm.CreateList(name, []any{0})
	if err != nil {
		end()
		return nil, nil, err
	}
	add := func() error {
		v, err := list.Int(0)
		if err != nil {
			return err
		}
		return list.SetInt(0, v+1)
	}
	return func(n int) error {
		for range n {
			if err := lock.With(context.Background(), add); err != nil {
				return err
			}
		}
		return nil
	}, func() { list.Close(); list.Unlink(); end() }, nil
}
