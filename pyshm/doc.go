// Package pyshm shares memory between Go and Python by name, with nothing on
// the Python side but the standard library: it attaches to the segments of
// multiprocessing.shared_memory and makes segments that Python attaches to.
//
// # Basics
//
// A segment is a block of bytes, or it holds a list. [Create] and [CreateList]
// make one, [Attach] and [AttachList] attach to one, whoever made it:
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
// segment outlives the process that made it: somebody has to unlink it.
//
// [SharedMemory.ReadAt] and [SharedMemory.WriteAt] are the default way to
// touch a block. [SharedMemory.WithBytes] and [WithView] lend its memory to a
// function, without a copy and with faults as errors. [SharedMemory.Bytes] and
// [View] give it out without a copy and without protection.
//
// # Locks
//
// A [Lock] makes an order between processes, and so do a [Semaphore], a
// [Condition] and an [Event]:
//
//	lock, err := pyshm.CreateLock("frames.lock")
//	...
//	if err := lock.Acquire(ctx); err != nil {
//		return err
//	}
//	n, err := list.AddInt(0, 1) // and whatever else nobody may see half done
//	err = errors.Join(err, lock.Release())
//
// They are the semaphores of glibc that Python's multiprocessing uses, each in
// a file sem.NAME. What Python has made has a name if it was made in the context
// spawn or forkserver, and not if it was made in the context fork;
// parts(lock) tells it. What Go has made Python attaches to with
// attach_lock("frames.lock") and its like. These functions are in the module
// pyshm_attach, which a Python that [WorkerEnv] has prepared can import. Others
// install it, or copy the file, which the command pyshm helper prints. Other
// libraries, such as musl, have other semaphores, which are refused.
//
// [Lock.With] acquires a lock, calls a function and releases the lock. [OpenLock] is
// for processes of which any may be the first: it creates the lock if there is none.
// The functions whose names end in Context wait until another process has created
// what they attach to.
//
// Goroutines wait by the thousand in few threads, until their context is done or
// the handle is closed. However many wait for one lock, one of them waits in the
// kernel. The first 16 locks that a process waits for take a thread each, and
// further ones a thread for every 127, by futex_waitv(2). Linux before 5.16 does
// not have it, and some containers forbid it: there the process looks at further
// locks itself, with pauses of 1 to 16 ms.
//
// A lock that no process holds is acquired whatever the context: with one that is
// done, a method tries once. The time of a context does not follow the wall clock;
// that of Python's acquire(timeout=...) does. A process that dies releases
// nothing: see [Lock.Reset].
//
// # Names
//
// A name may begin with one slash, which means nothing, and contains no other.
// New names are ASCII without colon and newline, because the resource trackers of
// CPython 3.8 to 3.14 cannot handle these, and do not begin with ".pyshm-", as do
// those of what is not complete yet. A new segment's name has up to 254 bytes,
// which is what the tracker of CPython 3.15 takes, and a lock's up to 251.
// Attaching has the limits of the system alone.
//
// In a name that is given to Create, CreateLock and so on, the last star stands for 8
// random hexadecimal digits, as in [os.CreateTemp]: CreateLock("jobs-*") makes a lock
// such as jobs-5f0c21e9, which Name returns. A name that is taken is not used: there
// is nothing for [Replace] to replace. Without a star the name stays as it is.
// Everywhere else a star is an ordinary character, as it is in Python: Attach("a*b")
// finds what Python has made under that name, and so does Open("a*b", size), which
// also creates it.
//
// # Errors
//
// Every error is an [*Error], which names the operation and the segment, and
// wraps the reason for errors.Is: [fs.ErrNotExist], [ErrFault],
// [format.ErrIncomplete] and others. A call that fails has changed nothing,
// unless it says otherwise, or met [ErrFault] half-way: then what it was writing,
// in memory or in the caller's slice, may be half written.
//
// # Concurrency
//
// Every method may be called by several goroutines at once, Close included. This
// is what holds between processes, Go's and Python's, without a lock:
//
//   - A name that Go creates, replaces or adds by [SharedMemory.Alias] is there in
//     one step, with a complete segment behind it. What Python is still creating
//     is [format.ErrIncomplete].
//   - [SharedMemory.Unlink] takes two steps: it looks whose name it is, and removes
//     it. [Unlink] takes one.
//   - For each method of a list, package [format] says what is atomic, and what Go
//     and Python can read in the middle of a Set.
//   - Blocks and raw slices are plain memory. There is no order between what
//     processes write but that which a lock shared by them makes, and a copy taken
//     while another process writes may be half old and half new. The race detector
//     does not see shared memory, but it does see the order that locks make.
//
// # Caveats
//
// Other processes. Whatever another process does to a segment, no call of this
// package crashes the process: memory that has been truncated away is
// [ErrFault]. Raw slices are the caller's own; [SharedMemory.Guard] turns their
// faults into errors, on the goroutine that calls it. A system call that is
// given such a slice answers EFAULT.
//
// Lifetime of slices. What Bytes and View return is valid until Close. After
// that it faults when touched, and never shows memory that belongs to somebody
// else: its addresses stay reserved, for the life of the process. Close may be
// called while others are reading; late readers get [fs.ErrClosed]. What WithBytes
// and WithView lend is valid until the function returns.
//
// Addresses. An attached handle takes as many addresses as the segment has bytes,
// and one mapping. These are used again when the garbage collector has found that the
// handle is unreachable and no method is under way on it. Attach, Create and Close
// start a collection when the handles that were attached or closed since the last one
// have an eighth of the addresses that there are (of what the process has left of
// RLIMIT_AS, if that is less), or number 8191, and may wait for it. Attach and Create
// also start one and try again when the system refuses for want of room. So a program
// that holds one segment at a time may attach for ever, and close or forget the handle,
// unless it calls Bytes, View, ViewInts or ViewFloats each time: those addresses are
// never used again. A program that holds many pays for eight collections at most until
// there is no more room.
//
// Number of segments. Linux allows a process 65530 mappings (vm.max_map_count), and
// the Go runtime ends the process when it gets none. Attach, Create and the functions
// for lists and locks leave the last sixteenth to it: when all code of the process
// together has more than the rest, 61435 by default, the error is syscall.ENOMEM.
// Other code that maps memory may still take the last ones. A lock takes one mapping,
// an event five.
//
// The garbage collector. A handle that becomes unreachable without Close is
// unmapped some time later, unless Bytes or View was ever called on it: the collector
// does not follow slices of shared memory, so that such a mapping lasts as long as
// the process.
//
// Signals. SIGINT and SIGTERM end a Go program without running its defers: the
// names that it made stay, and a lock that it holds stays held. A program that
// must not leave them catches the signals, as by [signal.NotifyContext], and
// returns when the context is done; the methods that wait take that context.
//
// The resource tracker. A Python process that attaches to a segment registers
// the name with its resource tracker, which unlinks the name when that process
// ends, however it ends: in every version for ShareableList, and for
// SharedMemory unless track=False is given, which Python 3.13 introduced. The
// memory stays for those who are attached, but nobody else can attach.
// [WorkerEnv] starts a worker that does not do so, and one that attaches with
// pyshm_attach.py does not either; [SharedMemory.Alias] gives a worker a second
// name, which it may use up; and package manager restores the name.
//
// Systems. Linux; elsewhere every function answers [errors.ErrUnsupported]. On
// 32-bit MIPS, Go's 64-bit atomics hold within one process only, and so do the
// promises about single stores.
package pyshm
