// Package pyshm shares memory between Go and Python by name. The Python side needs
// only its standard library: Go attaches to the segments of
// multiprocessing.shared_memory, and Python attaches to the segments that Go makes.
//
// # Basics
//
// A segment is a named piece of shared memory. It holds a list, or it is a block of
// bytes. [Create] and [CreateList] make segments. [Attach] and [AttachList] attach to
// segments that Go or Python has made:
//
//	m, err := pyshm.Create("frames", 1<<20)
//	if err != nil {
//		return err
//	}
//	defer m.Unlink()
//	defer m.Close()
//	_, err = m.WriteAt(frame, 0)
//
// and in Python
//
//	shm = shared_memory.SharedMemory("frames")
//	frame = bytes(shm.buf[:n])
//
// As in Python, Close detaches this handle and Unlink removes the name. A
// segment outlives the process that made it, so some process has to unlink it.
//
// [SharedMemory.ReadAt] and [SharedMemory.WriteAt] are the default way to
// touch a block. [SharedMemory.WithBytes] and [WithView] lend its memory to a
// function, without a copy and with faults as errors. [SharedMemory.Bytes] and
// [View] return the memory without a copy and without protection.
//
// # Arrays
//
// An [Array] is a numpy array in a segment: a .npy file, which describes its own
// elements. Python's side is one line, in every numpy from 1.17 on:
//
//	a = np.load("/dev/shm/frames", mmap_mode="r+")
//
// Go makes an array with [CreateArray], or attaches with [AttachArray] to an array that
// Python has made, with numpy.lib.format.open_memmap, say. Elements are Go values,
// numbers or structs. AttachArray compares their type with the array once:
//
//	a, err := pyshm.AttachArray[float32]("frames")
//	if err != nil {
//		return err
//	}
//	defer a.Close()
//	v, err := a.At(3, 4)
//
// [Array.Guard] and [Array.Rows] lend the memory. [Array.CopyTo] copies it, from any
// layout and byte order. [ViewArray] is for segments without a header, which a message
// in JSON describes. [CreateFrom] makes a segment whose content is complete when its
// name appears.
//
// open_memmap with "w+" truncates the file that has the name: in processes that are
// attached, Go returns [ErrFault], and Python dies of SIGBUS. To make an array again under
// its name, use [Replace], or numpy.save and os.rename. np.load with "r+" makes a file
// longer if it is shorter than its header announces.
//
// # Rings
//
// A [Ring] is for the newest of many frames, from one writer to any number of readers that
// wait for no lock:
//
//	ring, err := pyshm.CreateRing[uint8]("camera", 4, []int{480, 640, 3})
//	...
//	n, err := ring.Publish(func(frame []uint8) error { return shoot(frame) })
//
//	ring, err := pyshm.AttachRing[uint8]("camera")
//	...
//	n, err = ring.Next(ctx, n, picture)
//
// # Locks
//
// A [Lock] orders what different processes do. A [Semaphore], a [Condition] and an
// [Event] do so too:
//
//	lock, err := pyshm.CreateLock("frames.lock")
//	...
//	if err := lock.Acquire(ctx); err != nil {
//		return err
//	}
//	n, err := list.AddInt(0, 1) // and everything else that no process may see half done
//	err = errors.Join(err, lock.Release())
//
// They consist of the semaphores of glibc that Python's multiprocessing uses, each in
// a file sem.NAME. Other libraries, such as musl, have other semaphores, which are
// refused.
//
// A lock, semaphore, condition or event of Python has a name if Python made it in the
// context spawn or forkserver, and parts(lock) returns the name. If Python made it in
// the context fork, it has no name. Python attaches to a lock made by Go with
// attach_lock("frames.lock"), and likewise for the others. These functions are in the
// module pyshm_attach, which a Python that [WorkerEnv] has prepared can import. Other
// Pythons install it, or copy the file, which the command pyshm helper prints.
//
// [Lock.With] acquires a lock, calls a function and releases the lock. [OpenLock] is for
// processes that may start in any order: it creates the lock if there is none. The
// functions whose names end in Context wait until another process has created what they
// attach to.
//
// Thousands of goroutines wait in few threads, until their context is done or the
// handle is closed. However many wait for one lock, one of them waits in the
// kernel. The first 16 locks that a process waits for take a thread each. Further locks
// share threads, 127 locks in each, by futex_waitv(2). Linux before 5.16 does not have
// futex_waitv, and some containers forbid it: there the process looks at further locks
// itself, with pauses of 1 to 16 ms.
//
// A lock that no process holds is acquired whatever the context: a method whose context
// is done tries once. The deadline of a context does not follow the wall clock. The
// deadline of Python's acquire(timeout=...) does. A process that dies releases
// nothing: see [Lock.Reset].
//
// # Values and barriers
//
// A [Value] is a number or a struct with a lock, and a [Barrier] has processes wait for
// each other. Go makes them by name:
//
//	counter, err := pyshm.CreateValue[int64]("frames.count")
//	...
//	err = counter.Update(ctx, func(n *int64) error { *n++; return nil })
//
// and in Python
//
//	counter = attach_value("frames.count")  # a multiprocessing.Value
//	with counter.get_lock():
//	    counter.value += 1
//
// What Python makes, a Value, Array, RawValue, RawArray or Barrier, has no name.
// parts(value) returns where it is, as JSON, for [AttachValueParts], [AttachArrayParts] and
// [AttachBarrierParts].
//
// # Queues
//
// A [Queue] hands values from process to process, in Go and Python. It is Python's
// multiprocessing.Queue, JoinableQueue or SimpleQueue. Values are pickled: package
// format/pickle lists the types.
//
//	jobs, err := pyshm.CreateQueue("jobs", 10)
//	...
//	err = jobs.Put(ctx, []float64{1, 2, 3})
//
// and in Python
//
//	jobs = attach_queue("jobs", 10)
//	job = jobs.get()
//
// [AttachQueueParts] attaches to a queue that Python has made.
//
// # Names
//
// A name may begin with one slash, which means nothing, and contains no other slash.
// New names are ASCII without colon and newline, because the resource trackers of
// CPython 3.8 to 3.14 cannot handle other characters. They do not begin with ".pyshm-",
// which begins the names of segments that are not complete yet. The name of a new
// segment has up to 254 bytes, because the tracker of CPython 3.15 takes no more. The
// name of a new lock has up to 251. Attaching has the limits of the system alone.
//
// In the name for Create, CreateLock and so on, the last star stands for 8 random
// hexadecimal digits, as in [os.CreateTemp]: CreateLock("jobs-*") makes a lock such as
// jobs-5f0c21e9, and Name returns this name. They never choose a name already taken, so
// [Replace] has nothing to replace. Without a star the name stays as it is.
// Everywhere else a star is an ordinary character, as it is in Python: Attach("a*b")
// finds a segment that Python has made under that name, and so does Open("a*b", size),
// which also creates it.
//
// # Errors
//
// Every error is an [*Error], which names the operation and the segment, and
// wraps the reason for errors.Is: [fs.ErrNotExist], [ErrFault],
// [format.ErrIncomplete] and others. A call that fails has changed nothing. There are
// two exceptions: calls whose documentation describes another result, and calls that
// met [ErrFault] half-way. After such a fault the memory or slice that the call was
// writing to may be half written.
//
// # Concurrency
//
// Several goroutines may call any methods at once, Close included. Between processes,
// in Go and in Python, these rules hold without a lock:
//
//   - A name that Go creates, replaces or adds by [SharedMemory.Alias] appears in
//     one step, with a complete segment behind it. A segment that Python is still
//     creating is [format.ErrIncomplete].
//   - [SharedMemory.Unlink] takes two steps: it checks which segment has the name, and
//     removes the name. [Unlink] takes one.
//   - For each method of a list, package [format] describes which steps are atomic, and
//     what Go and Python can read in the middle of a Set.
//   - Blocks and raw slices are plain memory. Only a shared lock orders the writes of
//     different processes. A copy taken while another process writes may be half old
//     and half new. The race detector does not see shared memory, but it does see the
//     order that locks make.
//
// # Caveats
//
// Other processes. No call of this package crashes the process, whatever another
// process does to a segment: memory that has been truncated away is [ErrFault]. Raw
// slices are not protected. [SharedMemory.Guard] turns their faults into errors, on the
// goroutine that calls it. A system call fails with EFAULT on such a slice.
//
// Lifetime of slices. The slices that Bytes and View return are valid until Close.
// After that they fault when touched. They never show other memory, because their
// addresses stay reserved for the life of the process. Close may be called while other
// goroutines are reading: late readers get [fs.ErrClosed]. The slices that WithBytes
// and WithView lend are valid until the function returns.
//
// Addresses. An attached handle takes as many addresses as the segment has bytes,
// and one mapping. They become free when the garbage collector has found that the
// handle is unreachable and no method is under way on it. Attach, Create and Close
// start a collection, and may wait for it, when the handles attached or closed since
// the last collection have an eighth of all addresses (of the addresses that RLIMIT_AS
// leaves to the process, if these are fewer), or number 8191. Attach and Create also
// start one and try again when the system has no room. So a program that holds one
// segment at a time may attach for ever, whether it closes its handles or forgets them.
// Programs that call Bytes, View, Slice, ViewInts or ViewFloats each time are the exception:
// the addresses of these slices are never used again. A program that holds many
// segments pays for eight collections at most until there is no more room.
//
// Number of segments. Linux allows a process 65530 mappings (vm.max_map_count), and
// the Go runtime ends the process when it gets none. Attach, Create and the functions
// for lists and locks leave the last sixteenth to the runtime: they fail with
// syscall.ENOMEM when all code of the process together has more than the rest, 61435 by
// default. Other code that maps memory may still take the last ones. A lock takes one
// mapping, an event five.
//
// The garbage collector. A handle that becomes unreachable without Close is
// unmapped some time later, unless Bytes or View was ever called on it. The collector
// does not follow slices of shared memory, so the mapping behind such slices lasts as
// long as the process.
//
// Signals. SIGINT and SIGTERM end a Go program without running its defers: the
// names that it made stay, and a lock that it holds stays held. A program that
// must not leave them catches the signals, as by [signal.NotifyContext], and
// returns when the context is done. The methods that wait take that context.
//
// The resource tracker. A Python process that attaches to a segment registers
// the name with its resource tracker, which unlinks the name when that process
// ends, however it ends. Every version does so for ShareableList. For SharedMemory,
// track=False prevents it, from Python 3.13 on. Processes that are attached keep the
// memory. New ones can no longer attach. A worker that [WorkerEnv] has prepared does
// not register the name, and neither does a program that attaches with pyshm_attach.py.
// [SharedMemory.Alias] gives a worker a second name, which it may use up. Package
// manager restores the name.
//
// Systems. Linux; and Windows, macOS and FreeBSD without the objects that need locks. On
// other systems every function returns an error that wraps [errors.ErrUnsupported]. The
// rules below for macOS and FreeBSD are tested on Linux, with files that behave as their
// segments do. On 32-bit MIPS, Go's 64-bit atomics hold within one process
// only, and so do the promises about single stores.
//
// Windows. Segments, lists, arrays and rings work there, and these things differ:
//
//   - A segment lives as long as a process is attached to it, Go or Python. The creator
//     keeps its handle for so long. Unlink does nothing, like Python's, and a name that is
//     in use cannot pass to another segment: [SharedMemory.Current] is always true.
//   - The creator sees the size that it has asked for, and all others whole pages.
//   - A name appears before its content, because Windows gives no name to a segment that
//     exists. The first word is written last. Until then a process that attaches to a
//     list or an array gets [format.ErrIncomplete]; Python finds a list without items.
//   - A list without items has only zeros, as if it were not complete: attaching to it is
//     [format.ErrIncomplete].
//   - Close makes the memory inaccessible at once. The memory is free some time later, when
//     the garbage collector has found that no method uses it, or at the end of the
//     process if [SharedMemory.Bytes] or [View] was called.
//   - [SharedMemory.Alias], [Replace], a [Mode] but 0600, [Segments], and everything with
//     a lock are [errors.ErrUnsupported]: Windows has no second names, no modes and no
//     list of segments, and Python's locks have no names there. [Sparse] has no effect.
//
// MacOS and FreeBSD. Segments, lists, arrays and rings work there, without cgo. Names stay
// until they are unlinked, as on Linux, and these things differ:
//
//   - A name has up to 30 bytes on macOS.
//   - A name appears before its segment has a size, and the size before the content, of which
//     the first 8 bytes are written last. A process that attaches in between finds, for some
//     microseconds, a segment without a size. Go returns [format.ErrIncomplete]. A Python
//     raises ValueError ("cannot mmap an empty file") on FreeBSD, and on macOS it raises OSError
//     and removes the name, which Create then gives to a new segment. After that the process
//     finds zeros at the beginning: a list or an array is [format.ErrIncomplete], and a Python
//     has a ShareableList without items, for as long as it keeps that object.
//   - A process killed while it creates a segment leaves the name. To attach is then
//     [format.ErrIncomplete], until the name is unlinked.
//   - On macOS the creator in Go sees the size that it has asked for, and all others, Python's
//     creators too, whole pages: of 4096 bytes, or 16384 on arm64. On FreeBSD all see the
//     size that was asked for. Open and the functions like it find a list without items
//     incomplete where sizes are whole pages, as on Windows.
//   - No memory is set aside, with [Sparse] or without. A process that touches a page for which
//     there is no memory may be killed.
//   - On macOS it cannot be found out which segment has a name: [SharedMemory.Current] is
//     [errors.ErrUnsupported] as long as there is one, and [SharedMemory.Unlink] removes the
//     name, whichever segment has it.
//   - On macOS a [Mode] from which the umask takes bits is [errors.ErrUnsupported].
//   - [SharedMemory.Alias], [Replace], [Segments], and everything with a queue are
//     [errors.ErrUnsupported]: a segment has one name, pyshm does not list the names, and there
//     is no folder for a queue's pipe.
//
// Locks on macOS. They are semaphores of the kernel, which can be tried and released and no
// more, so these things differ. All of it was tested on Linux by the same code, over glibc's
// semaphores, and not yet on macOS:
//
//   - A goroutine that waits tries again and again, with pauses that grow from 50 µs to 20 ms,
//     as Python does for an acquire with a timeout. If its context ends it has taken nothing.
//     Of the goroutines of a process one tries at a time, and a release in the same process
//     ends its pause. A Python that waits without a timeout gets the next token before it.
//   - Value, Waiters, Current, [Replace], a [CreateBoundedSemaphore] for more than one token,
//     and [AttachBoundedSemaphore] are [errors.ErrUnsupported]. Release of a lock looks first
//     whether the lock is free, as Python's does: that is not one step.
//   - A name has at most 29 bytes, the suffixes of a condition, an event or a barrier
//     included. Unlink removes the name whichever semaphore has it. Nothing tells which user
//     a semaphore belongs to, so parts of an object may be another user's.
//
// FreeBSD. Its libc has semaphores in a format of its own: everything with a lock is
// [errors.ErrUnsupported].
package pyshm
