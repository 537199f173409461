//go:build !posixshm

package pyshm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm"
)

func ExampleCreate() {
	m, err := pyshm.Create("", 1<<20) // Create chooses the name, as Python does
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	if _, err := m.WriteAt([]byte("hello"), 0); err != nil {
		fmt.Println(err)
	}
	// Python: bytes(SharedMemory(name).buf[:5])

	// Output:
}

func ExampleAttach() {
	frames, err := pyshm.Create("", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer frames.Unlink()
	defer frames.Close()
	frames.WriteAt([]byte("frame 1"), 0)

	// In another process.
	m, err := pyshm.Attach(frames.Name(), pyshm.ReadOnly())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	frame := make([]byte, 7)
	if _, err := m.ReadAt(frame, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, of %d bytes\n", frame, m.Size())
	_, err = m.WriteAt(frame, 0)
	fmt.Println(errors.Is(err, fs.ErrPermission))

	// Output:
	// frame 1, of 4096 bytes
	// true
}

func ExampleAttachContext() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := pyshm.AttachContext(ctx, "pyshm_example_nobody_creates_it")
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, fs.ErrNotExist))

	// Output:
	// true true
}

func ExampleCreateArray() {
	image, err := pyshm.CreateArray[float32]("", []int{480, 640})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer image.Unlink()
	defer image.Close()

	if err := image.Set(0.5, 3, 4); err != nil {
		fmt.Println(err)
	}
	// Python: np.load("/dev/shm/" + name, mmap_mode="r+")[3, 4]
	err = image.SharedMemory().Guard(func() error {
		for i, row := range image.Rows() {
			if i == 3 {
				fmt.Println(len(row), row[4])
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}

	// Output:
	// 640 0.5
}

func ExampleAttachArray() {
	type Tick struct {
		T     int64 `numpy:"t,M8[ns]"`
		Price float64
		Qty   int32
	}
	made, err := pyshm.CreateArray[Tick]("", []int{1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer made.Unlink()
	defer made.Close()

	// In another process.
	ticks, err := pyshm.AttachArray[Tick](made.Name())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ticks.Close()
	err = ticks.Guard(func(all []Tick) error {
		all[7].Price = 101.5
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	tick, err := made.At(7)
	fmt.Println(tick.Price, err)

	// With another type than the elements are.
	type Quote struct {
		T     int64 `numpy:"t,M8[us]"`
		Price float64
	}
	_, err = pyshm.AttachArray[Quote](made.Name())
	fmt.Println(errors.Is(err, npy.ErrMismatch))

	// Output:
	// 101.5 <nil>
	// true
}

func ExampleViewArray() {
	m, err := pyshm.Create("", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	// Python sent json.dumps({"shape": a.shape, "dtype": a.dtype.str, "offset": 64}).
	var info pyshm.ArrayInfo
	if err := json.Unmarshal([]byte(`{"shape": [2, 3], "dtype": "|u1", "offset": 64}`), &info); err != nil {
		fmt.Println(err)
		return
	}
	a, err := pyshm.ViewArray[uint8](m, info)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := a.CopyFrom([]uint8{1, 2, 3, 4, 5, 6})
	fmt.Println(n, err)
	v, err := a.At(1, 0)
	fmt.Println(v, err)

	// Output:
	// 6 <nil>
	// 4 <nil>
}

func ExampleCreateFrom() {
	text := []byte("complete when its name appears")
	m, err := pyshm.CreateFrom("", len(text), func(w io.WriterAt) error {
		_, err := w.WriteAt(text, 0)
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()
	fmt.Println(m.Size())

	// Output:
	// 30
}

func ExampleView() {
	m, err := pyshm.Create("", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	// numpy.frombuffer(shm.buf, "d", 3, 8)
	samples, err := pyshm.View[float64](m, 8, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(samples, []float64{0.5, 1.5, 2.5})
	fmt.Println(samples)

	// Output:
	// [0.5 1.5 2.5]
}

func ExampleSharedMemory_Guard() {
	m, err := pyshm.Create("", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	memory := m.Bytes()

	m.Close() // by another goroutine, say
	err = m.Guard(func() error {
		memory[0] = 1
		return nil
	})
	fmt.Println(errors.Is(err, fs.ErrClosed))

	// Output:
	// true
}

func ExampleSharedMemory_Alias() {
	m, err := pyshm.Create("", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	alias, err := m.Alias()
	if err != nil {
		fmt.Println(err)
		return
	}
	// exec.Command("python3", "worker.py", alias): the worker attaches, and when it
	// ends, its resource tracker unlinks the alias.
	pyshm.Unlink(alias)

	again, err := pyshm.Attach(m.Name())
	fmt.Println(err)
	again.Close()

	// Output:
	// <nil>
}

func ExampleCreateList() {
	list, err := pyshm.CreateList("fruit-*", []any{"apples", 3, 0.5, nil})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Unlink()
	defer list.Close()

	// Python: sl = ShareableList(name="fruit-5f0c21e9"); sl[1] += 1
	if err := list.Set(3, true); err != nil { // a value of any kind
		fmt.Println(err)
	}
	if _, err := list.AddInt(1, 1); err != nil {
		fmt.Println(err)
	}
	fmt.Println(list.Values())

	// Output:
	// [apples 4 0.5 true] <nil>
}

func ExampleAttachList() {
	made, err := pyshm.CreateList("", []any{"apples", 3, 0.5, nil}) // or made by Python
	if err != nil {
		fmt.Println(err)
		return
	}
	defer made.Unlink()
	defer made.Close()

	// In another process.
	list, err := pyshm.AttachList(made.Name())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Close()
	for item, err := range list.All() {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%T %v\n", item, item)
	}
	_, err = list.Int(0)
	fmt.Println(errors.Is(err, format.ErrKind)) // item 0 is a str

	// Output:
	// string apples
	// int64 3
	// float64 0.5
	// <nil> <nil>
	// true
}

func ExampleShareableList_Batch() {
	prices, err := pyshm.CreateListOf("", []float64{0.5, 1.5, 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer prices.Unlink()
	defer prices.Close()

	var sum float64
	err = prices.Batch(func(list *format.List) error {
		for i := range list.Len() {
			price, err := list.Float(i)
			if err != nil {
				return err
			}
			sum += price
		}
		return nil
	})
	fmt.Println(sum, err)

	// Output:
	// 4 <nil>
}

// The worker attaches to a block and ends. Python removes the name then, unless
// WorkerEnv prepared the worker.
func ExampleWorkerEnv() {
	block, err := pyshm.Create("", 5)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer block.Unlink()
	defer block.Close()

	const program = `
import sys
from multiprocessing.shared_memory import SharedMemory

shm = SharedMemory(sys.argv[1])
shm.buf[:5] = b"hello"
shm.close()
`
	python, err := compat.First(context.Background()) // on most machines "python3" will do
	if err != nil {
		fmt.Println(err)
		return
	}
	worker := exec.Command(python.Path, "-c", program, block.Name())
	if err := pyshm.WorkerEnv(worker); err != nil {
		fmt.Println(err)
		return
	}
	// The output ends when Python's resource tracker has ended, too.
	if out, err := worker.CombinedOutput(); err != nil {
		fmt.Println(err, string(out))
		return
	}
	greeting := make([]byte, 5)
	_, err = block.ReadAt(greeting, 0)
	fmt.Println(string(greeting), err)
	fmt.Println(block.Current()) // the name is still there

	// Output:
	// hello <nil>
	// true <nil>
}

func ExampleCreateLock() {
	lock, err := pyshm.CreateLock("") // "counter.lock", say
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Unlink()
	defer lock.Close()

	// with pyshm_attach.attach_lock("counter.lock"): ...
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := lock.Acquire(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lock.TryAcquire())
	fmt.Println(lock.Release())

	// Output:
	// false <nil>
	// <nil>
}

// Go and Python count in one item of a list: each adds 1 under the same lock.
func ExampleLock_With() {
	counter, err := pyshm.CreateList("", []any{0})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer counter.Unlink()
	defer counter.Close()
	lock, err := pyshm.CreateLock("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Unlink()
	defer lock.Close()

	// Python: with pyshm_attach.attach_lock(name): sl[0] += 1
	err = lock.With(context.Background(), func() error {
		n, err := counter.Int(0)
		if err != nil {
			return err
		}
		return counter.SetInt(0, n+1)
	})
	fmt.Println(err)
	fmt.Println(counter.Int(0))

	// Output:
	// <nil>
	// 1 <nil>
}

// At most two processes print at a time.
func ExampleCreateSemaphore() {
	printers, err := pyshm.CreateSemaphore("", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer printers.Unlink()
	defer printers.Close()

	for range 3 { // each of them in another process, say
		fmt.Println(printers.TryAcquire())
	}
	fmt.Println(printers.Release()) // Python: attach_semaphore(name).release()
	fmt.Println(printers.Acquire(context.Background()))

	// Output:
	// true <nil>
	// true <nil>
	// false <nil>
	// <nil>
	// <nil>
}

func ExampleCreateBoundedSemaphore() {
	printers, err := pyshm.CreateBoundedSemaphore("", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer printers.Unlink()
	defer printers.Close()

	err = printers.Release() // without Acquire
	fmt.Println(errors.Is(err, pyshm.ErrNotAcquired))

	// Output:
	// true
}

// A consumer waits until a producer has put something into a list.
func ExampleCondition() {
	ctx := context.Background()
	list, err := pyshm.CreateList("", []any{0})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer list.Unlink()
	defer list.Close()
	changed, err := pyshm.CreateCondition("pyshm-example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer changed.Unlink()
	defer changed.Close()

	// The producer is another process. In Python:
	//	changed = pyshm_attach.attach_condition(name)
	//	with changed:
	//		sl[0] = 42
	//		changed.notify()
	go changed.With(ctx, func() error {
		return errors.Join(list.SetInt(0, 42), changed.Notify(ctx, 1))
	})

	err = changed.With(ctx, func() error {
		for {
			n, err := list.Int(0)
			if err != nil {
				return err
			}
			if n != 0 {
				fmt.Println("the consumer has", n)
				return nil
			}
			if err := changed.Wait(ctx); err != nil { // without the lock, which it acquires again
				return err
			}
		}
	})
	fmt.Println(err)

	// Output:
	// the consumer has 42
	// <nil>
}

func ExampleEvent() {
	ready, err := pyshm.CreateEvent(fmt.Sprint("pyshm_example_", os.Getpid()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ready.Unlink()
	defer ready.Close()

	go ready.Set(context.Background()) // or pyshm_attach.attach_event(name).set()
	fmt.Println(ready.Wait(context.Background()))

	// Output:
	// <nil>
}

func ExampleSegments() {
	m, err := pyshm.Create("", 5000)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	for s, err := range pyshm.Segments() {
		if err != nil {
			fmt.Println(err)
			break
		}
		if s.Name == m.Name() {
			content, err := s.Inspect()
			fmt.Println(s.Mode, s.Size, content.Kind, err)
		}
	}

	// Output:
	// -rw------- 5000 block <nil>
}

func ExampleCreate_pattern() {
	m, err := pyshm.Create("frames-*", 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Unlink()
	defer m.Close()

	fmt.Println(len(m.Name()), m.Name()[:7]) // frames-5f0c21e9, say

	// Output:
	// 15 frames-
}

func ExampleSharedMemory_Current() {
	name := fmt.Sprint("pyshm_example_", os.Getpid())
	producer, err := pyshm.Create(name, 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Close()
	reader, err := pyshm.Attach(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	fmt.Println(reader.Current())

	// The producer is restarted, in Python, say.
	producer.Unlink()
	producer, err = pyshm.Create(name, 4096)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer producer.Unlink()
	defer producer.Close()
	fmt.Println(reader.Current()) // time to attach again

	// Output:
	// true <nil>
	// false <nil>
}

// Each of several programs can be the first to need the lock.
func ExampleOpenLock() {
	lock, err := pyshm.OpenLock(fmt.Sprint("pyshm_example_", os.Getpid()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lock.Unlink() // when no program needs it any more
	defer lock.Close()

	err = lock.With(context.Background(), func() error {
		fmt.Println("no other process is here now")
		return nil
	})
	fmt.Println(err)

	// Output:
	// no other process is here now
	// <nil>
}

// A reader gets the newest frame, whole, while the writer goes on.
func ExampleCreateRing() {
	camera, err := pyshm.CreateRing[uint8]("", 4, []int{480, 640, 3})
	if err != nil {
		panic(err)
	}
	defer camera.Unlink()
	defer camera.Close()
	for shade := range uint8(10) {
		_, err := camera.Publish(func(frame []uint8) error {
			for i := range frame {
				frame[i] = shade
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}

	viewer, err := pyshm.AttachRing[uint8](camera.Name(), pyshm.ReadOnly())
	if err != nil {
		panic(err)
	}
	defer viewer.Close()
	picture := make([]uint8, viewer.Len())
	n, err := viewer.Newest(picture)
	fmt.Println(n, viewer.Shape(), picture[0], err)
	// Output: 10 [480 640 3] 9 <nil>
}

func ExampleCreateValue() {
	ctx := context.Background()
	counter, err := pyshm.CreateValue[int64]("pyshm-example-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer counter.Unlink()
	defer counter.Close()

	// The other side is another process. In Python:
	//	counter = pyshm_attach.attach_value(name)
	//	with counter.get_lock():
	//		counter.value += 1
	if err := counter.Update(ctx, func(n *int64) error { *n++; return nil }); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(counter.Load(ctx))

	// Output:
	// 1 <nil>
}

func ExampleAttachValueParts() {
	// Python has made
	//	limit = multiprocessing.get_context("spawn").Value(Limit)
	// of a ctypes.Structure, and passes pyshm_attach.parts(limit) on.
	type Limit struct {
		Rate  float64
		Burst int32
		Name  [8]byte
	}
	attach := func(fromPython []byte) error {
		var parts pyshm.ValueParts
		if err := json.Unmarshal(fromPython, &parts); err != nil {
			return err
		}
		limit, err := pyshm.AttachValueParts[Limit](parts)
		if err != nil {
			return err
		}
		defer limit.Close()
		return limit.Update(context.Background(), func(l *Limit) error {
			l.Rate *= 2
			return nil
		})
	}
	_ = attach
}

func ExampleAttachArrayParts() {
	// Python has made
	//	samples = multiprocessing.get_context("spawn").Array("d", 1000)
	// and passes pyshm_attach.parts(samples) on.
	attach := func(ctx context.Context, parts pyshm.ValueParts) error {
		samples, err := pyshm.AttachArrayParts[float64](parts)
		if err != nil {
			return err
		}
		defer samples.Close()
		lock, err := pyshm.AttachLock(parts.Lock)
		if err != nil {
			return err
		}
		defer lock.Close()
		return lock.With(ctx, func() error {
			return samples.Guard(func(all []float64) error {
				for i := range all {
					all[i] /= 2
				}
				return nil
			})
		})
	}
	_ = attach
}

func ExampleBarrier() {
	ctx := context.Background()
	start, err := pyshm.CreateBarrier("pyshm-example-*", 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer start.Unlink()
	defer start.Close()

	// The other party is another process. In Python:
	//	start = pyshm_attach.attach_barrier(name)
	//	start.wait()
	go start.Wait(ctx)

	_, err = start.Wait(ctx)
	fmt.Println("both parties are there:", err == nil)

	// Output:
	// both parties are there: true
}

// Each item goes to one of the processes that get from the queue. Python attaches with
// pyshm_attach.attach_queue(NAME, 10).
func ExampleCreateQueue() {
	ctx := context.Background()
	jobs, err := pyshm.CreateQueue(fmt.Sprintf("pyshm_example_%d_*", os.Getpid()), 10, pyshm.Joinable())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer jobs.Unlink()
	defer jobs.Close()
	worker, err := pyshm.AttachQueue(jobs.Name(), 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer worker.Close()

	for _, job := range []any{"a text", []float64{1, 2.5}} {
		if err := jobs.Put(ctx, job); err != nil {
			fmt.Println(err)
			return
		}
	}
	for range 2 {
		job, err := worker.Get(ctx)
		fmt.Println(job, err)
		fmt.Println(worker.TaskDone(ctx))
	}
	fmt.Println(jobs.Join(ctx))

	// Output:
	// a text <nil>
	// <nil>
	// [1 2.5] <nil>
	// <nil>
	// <nil>
}
