// Package worker calls Python functions from Go: a pool of Python workers takes arguments
// and returns results through shared memory, and survives whatever happens to a worker.
//
// # Basics
//
// In Python, worker.py
//
//	from pyshm_attach import serve
//
//	@serve
//	def add(a, b):
//	    return a + b
//
//	serve()
//
// and in Go
//
//	pool, err := worker.Start(ctx, func() *exec.Cmd {
//		return exec.Command("python3", "worker.py")
//	}, worker.Options{})
//	if err != nil {
//		return err
//	}
//	defer pool.Close(ctx)
//	sum, err := pool.Call(ctx, "add", 1, 2.5)
//
// pyshm_attach is there in every worker that Start starts: there is nothing to install.
// Arguments and results have the types of package format/pickle. An exception is a
// *[PythonError] with class, message, arguments and traceback. A worker that ends in the
// middle of a call, for whatever reason, is a *[CrashError], and another worker takes its
// place. What a worker prints goes to the log.
//
// # Frames
//
// A worker inherits one end of a socket. Its number is in the environment as PYSHM_WORKER.
// Each message on it is a frame of Python's multiprocessing.connection: what send sends and
// recv receives. The pool sends one call at a time, and numbers the calls of a worker:
//
//	("call", number, function, args)
//
// The worker replies with one of
//
//	("return", number, value)
//	("raise", number, class, message, args, traceback)
//
// and ends when the pool closes the connection. Nothing else is needed, so a worker can do without the helper:
//
//	import os
//	import traceback
//	from multiprocessing.connection import Connection
//
//
//	def add(a, b):
//	    return a + b
//
//
//	pool = Connection(int(os.environ["PYSHM_WORKER"]))
//	try:
//	    while True:
//	        _, number, function, args = pool.recv()
//	        try:
//	            pool.send(("return", number, globals()[function](*args)))
//	        except Exception as e:
//	            pool.send(("raise", number, type(e).__name__, str(e), e.args, traceback.format_exc()))
//	except EOFError:
//	    pass
//
// The first call of every worker is pyshm.hello. It shows that the worker has started. A
// worker such as this one raises an exception, and the pool keeps to the frames above. The
// serve of pyshm_attach returns a dict with its version and its module.
//
// # Shared memory
//
// If the worker has serve, a second call, pyshm.attach, gives it the names of a segment and
// of two semaphores. When it has attached, the names are gone: nothing of a worker's memory
// has a name for longer than a moment, so nothing is left when both processes have ended,
// however they have ended. A pool whose service was killed in that moment leaves names
// pyshm_worker_*, which the next Start removes after a minute, and pyshm rm --orphans.
//
// From then on a call costs two semaphores. The segment begins with words of 8 bytes, in
// the machine's byte order:
//
//	  0  number of the call          written by Go
//	  8  length of the request       0: the call comes as a frame
//	 16  nanoseconds                 for which the worker may stay awake after the reply
//	 24  number of the reply taken
//	 64  number of the call begun    written by the worker
//	 72  number of the reply
//	 80  kind of the reply           0: it comes as a frame; 1: a value; 2: an exception; 3: bytes
//	 88  length of the reply
//	128  the request: a pickle of (function, args); then the reply
//
// Go writes the request, releases the first semaphore and waits at the second. The reply
// takes the place of the request. It is a pickle of the value, or of (class, message, args,
// traceback), or bytes that are the value. Long bytes among the arguments lie behind the
// request, which refers to them. Messages that do not fit go as frames, and Go makes a larger
// segment for the next ones (pyshm.messages). Arrays of [NewArray] lie in further segments
// (pyshm.segment, pyshm.drop). A pickle refers to an array by the number of the segment,
// offset, shape and dtype, or to memory that has a name by the name. An array of numpy from
// elsewhere is copied to the end of the messages, and segment 0 stands for these.
//
// A token of the first semaphore without a new number ends the worker, as does the end of the
// connection.
//
// To wake a thread on an idle processor takes 20 to 50 µs. So Go looks for the reply, and a
// worker for the next call, again and again for up to [Options.Spin] before they sleep at
// their semaphores. Between looks they yield the processor, for the kernel may have put both
// on the same one. A worker to which calls come from there sleeps now and then, because the
// kernel wakes a sleeper on an idle processor. Either stays awake more and more seldom while
// it is in vain, and most seldom while other processes need the processors. Neither does while
// there are not two processors for each call under way. A worker that has had nothing to do
// for 50 ms sends ("idle", n) after n calls by semaphore, and sleeps until the frame ("wake",)
// comes or the connection ends. So an idle pool takes no time of any processor.
//
// # The end of a worker
//
// A worker leads a process group of its own, so that a Ctrl-C at the terminal reaches the
// service alone, which closes the pool when its calls are done. A worker ends when its
// connection ends: so it ends with the service, also if the service is killed. In addition
// the kernel kills it when the service ends, because a function may run for ever. Children
// that a worker leaves get a SIGTERM.
//
// systemd sends SIGTERM to every process of a service, and so ends workers in the middle of
// their calls. With KillMode=mixed in its unit, the service alone gets it.
//
// A worker ends if it sends anything but replies. Its bytes never crash or block the
// service, or make it allocate more than 1 GiB for a reply.
//
// # Systems
//
// Linux, macOS and FreeBSD. On macOS and FreeBSD all goes by the connection: there is no
// shared memory of a worker, [NewArray] fails, and so does a pool with [Options.MaxMemory].
// Segments with a name are passed by the name, as on Linux. When the service is killed, the
// kernel of macOS ends no worker in the middle of a function: the worker ends after it. This
// was tested on Linux with the same code, not yet on these systems.
//
// On other systems all functions that make a pool return an error, which is
// errors.ErrUnsupported.
package worker
