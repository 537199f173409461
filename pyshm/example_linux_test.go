package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

func ExampleCreate() {
	m, err := pyshm.Create("", 1<<20) // a name of its own choice, as in Python
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
	// exec.Command("python3", "worker.py", alias): the worker attaches, and at
	// its end its resource tracker unlinks the name that the worker knew.
	pyshm.Unlink(alias)

	again, err := pyshm.Attach(m.Name())
	fmt.Println(err)
	again.Close()

	// Output:
	// <nil>
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
