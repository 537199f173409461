// Package manager owns segments of shared memory, so that they neither leak nor
// vanish. A [Manager] tracks segments: when another process unlinks the name of one,
// the manager restores it, and in the end the manager unlinks all of them itself. A
// Manager is a server for Python's multiprocessing.managers.SharedMemoryManager. A
// [Client] speaks to Python's own server as well as to a Manager.
//
// # Basics
//
// In Go
//
//	m, err := manager.Start("/run/app/manager", authkey)
//	if err != nil {
//		return err
//	}
//	defer m.Shutdown(ctx)
//	list, err := m.CreateList(ctx, []any{1, "two", 3.0})
//
// and in any number of Python processes
//
//	m = SharedMemoryManager(address="/run/app/manager", authkey=authkey)
//	m.connect()
//	mine = m.ShareableList([4, 5, 6])   # lives until it is released or the manager ends
//	theirs = ShareableList(name=name)   # still there when this process has ended
//
// Python's SharedMemoryManager has no release. It has a shutdown only if it was
// started, not if it is connected as here. So the Go side releases and shuts down.
// [NewClient] is for Go processes that use a manager in another process, for
// instance in Python:
//
//	m = SharedMemoryManager(address=("127.0.0.1", 5000), authkey=authkey)
//	m.get_server().serve_forever()
//
// # Objects
//
// A manager in Python may have other objects, too: queues, dicts, locks, whatever was
// registered. The recipe of Python's documentation
//
//	class QueueManager(BaseManager): pass
//	queue = queue.Queue()
//	QueueManager.register("get_queue", callable=lambda: queue)
//	QueueManager(("", 50000), authkey).get_server().serve_forever()
//
// works with a client in Go, on the same machine or another:
//
//	client := manager.NewClient("server:50000", authkey)
//	queue, err := client.New(ctx, "get_queue")
//	if err != nil {
//		return err
//	}
//	defer queue.Close()
//	_, err = queue.Call(ctx, "put", "hello")
//
// A Manager serves objects to Python's clients, too. In Go
//
//	queue := manager.NewQueue(0)
//	m.Register("get_queue", func(context.Context, []any) (any, error) { return queue, nil })
//
// and in Python
//
//	class QueueManager(BaseManager): pass
//	QueueManager.register("get_queue")
//	m = QueueManager(("server", 50000), authkey)
//	m.connect()
//	m.get_queue().put("hello")
//
// [NewObject] makes an object of any functions, and [Manager.RegisterSyncTypes] registers
// what Python's SyncManager has.
//
// Arguments and results are the values of package format/pickle. Python's instances are
// inert there, and go back as they came. A proxy inside of another value is an inert object,
// too: [Client.Rebuild] makes a Proxy of it, and [Proxy.Value] is the way back.
//
// # Addresses
//
// An address is written in one of three ways. Python takes the first as it is.
// [Manager.PythonAddress] returns the Python literal of any of them:
//
//	Go                  Python
//	/run/app/manager    '/run/app/manager'    a unix socket; the path has a slash
//	127.0.0.1:5000      ('127.0.0.1', 5000)   TCP; port 0 chooses one; Python needs IPv4
//	@app                b'\x00app'            Linux's abstract unix socket
//
// # Who removes what, and when
//
// A segment has a name and memory. The memory is freed when the segment has no name
// and no process maps it. The manager gives each segment that it tracks a second,
// hidden name in /dev/shm, which begins with ".pyshm-". When the name vanishes, the
// manager restores it from the hidden one: the same memory, under the same name. The
// system tells the manager when a name vanishes, and the manager also looks at all
// names every two seconds. Until the name is restored, other processes cannot
// attach: for some 50 µs as a rule, and for a few milliseconds when the machine is
// busy. They can retry, as [pyshm.AttachContext] does.
//
//	what ends or unlinks, and how              without a manager        tracked by a Manager
//	a Python process that attached: normally,  name removed by its      stays
//	 by an exception, os._exit, a signal,       resource tracker
//	 SIGKILL
//	the same with track=False (Python 3.13),   stays                    stays
//	 or killed together with its tracker
//	a multiprocessing child (fork, spawn,      name removed then, or    stays
//	 forkserver)                                when its parent ends
//	shm.unlink() in Python, Unlink in Go, rm   name removed             stays
//	a Go process that attached                 stays                    stays
//	Release, with the authkey                                           removed
//	Untrack, by the manager's own process                               stays, and is not restored any more
//	Shutdown of the manager, with the authkey                           all removed
//	the manager is killed                                               stays, and is not restored any more,
//	                                                                     also by the next manager; the hidden
//	                                                                     name is left behind, for
//	                                                                     pyshm rm --orphans
//
// The manager restores a name after every unlink, because it cannot distinguish a
// resource tracker's unlink from an explicit one. A name has one manager:
// [Manager.Track] refuses a name that another manager, or pyshm hold, keeps already,
// in this or another process. If another segment has taken a name in the meantime,
// the manager leaves the name to it. The memory of attached processes stays valid in
// any case, also after a release.
//
// Python's own manager does not restore names. A segment that a client creates
// through it is gone when that client ends.
//
// # Protocol
//
// The protocol is the one of CPython 3.8 to 3.15. Each side proves that it knows the
// authkey by an HMAC over the other's challenge, the client first. Then the client
// sends one request, a pickle of (None, method, arguments, keywords). The server sends one
// reply, a pickle of ("#RETURN", value) or ("#TRACEBACK", text), and closes. The methods
// are track_segment, release_segment, list_segments, shutdown, dummy, number_of_objects
// and debug_info, and for objects create, incref, decref, get_methods and
// accept_connection. Any other method raises a RemoteError in the client, as with CPython,
// and the server goes on.
//
// After accept_connection the connection stays. Each thread of a client in Python has one,
// for the calls of all its proxies. A request is a pickle of (id, method, arguments,
// keywords). A reply can also be ("#ERROR", exception), ("#PROXY", (methods, Token)) and
// ("#UNSERIALIZABLE", text).
//
// Differences from CPython's server: shutdown does not stop at segments that have
// vanished, and sends one reply; a segment's name must be a str and valid as a name;
// release_segment does not fail when the manager holds a segment whose name is
// missing just then. A client that goes away while it waits takes no item and no lock. An
// RLock whose thread has gone is released. What an iterator yields is a copy of the keys.
// Values that contain themselves are refused.
//
// # Security
//
// A client that knows the authkey can do three things: have the manager track and
// unlink any segment that the manager's user may unlink, shut the manager down, and call
// the objects that the program has registered, which can fill its memory. It can do nothing
// else: pickles are read as data, and nothing in them is ever called. The authkey itself
// never travels, and is in no error and no log.
//
// Python is less careful: its clients unpickle whatever the manager replies, and its
// server whatever a client sends, which may run any code. An object that one client puts
// into a manager reaches the other clients as it came. So all processes that know the
// authkey have to trust one another.
//
// Strangers, clients without the authkey, can make the manager read 256 bytes at a
// time and compute a MAC. They lose the connection after [HandshakeTimeout], or when
// all of [MaxConnections] are taken and another client connects, or when the process
// has no descriptors left. Keys are compared in constant time. A unix socket has mode
// 0600 from its first moment, so that only the same user gets that far. An abstract
// socket, like TCP, is open to all users of the machine.
//
// The handshake has the weaknesses of CPython's handshake:
//   - It does not encrypt. TCP is for the loopback interface, for which shared memory is
//     of use, or for a network, or a tunnel, that no stranger can read or change.
//   - It accepts HMAC-MD5, because CPython 3.11 and earlier have no other digest. In
//     FIPS 140-only mode (GODEBUG=fips140=only) it does not accept HMAC-MD5, so that
//     only CPython 3.12 and later can connect or be connected to, and the authkey
//     must have at least 14 bytes.
//   - It does not distinguish client from server. A process that pretends to be the
//     server, and to which clients connect, can pass on their challenges and so
//     appear to know the authkey. A unix socket in a private folder prevents that;
//     [Start] makes one if the address is empty.
//
// # Systems
//
// Linux, and Windows with TCP: the manager has a handle to each tracked segment, which
// keeps it alive, and needs no second names. An empty address is a port of 127.0.0.1 there.
//
// On macOS and FreeBSD objects work as on Linux, and segments less well. A segment has no other
// name than its own there, and a name that is unlinked is gone: the manager removes segments
// at their release and at its end, and logs within two seconds that a name is gone, but
// cannot restore it. So Python processes that attach need track=False or pyshm_attach. Of
// two segments that have one name, one after the other, macOS cannot tell which is which.
// This was tested on Linux with the same code, not yet on these systems.
//
// On other systems [New] and [Start] return an error that wraps [errors.ErrUnsupported].
package manager
