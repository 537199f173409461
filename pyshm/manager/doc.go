// Package manager owns segments of shared memory, so that they neither leak nor
// vanish: a [Manager] restores the names of the segments that it tracks when
// somebody unlinks them, and unlinks them itself in the end. It is a server for
// Python's multiprocessing.managers.SharedMemoryManager, and a [Client] speaks
// to Python's own server as well as to a Manager.
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
// Python's manager has neither a release nor, when it is connected and not
// started, a shutdown: it is the Go side that ends. [NewClient] is for Go processes
// that use a manager which runs elsewhere, in Python for instance:
//
//	m = SharedMemoryManager(address=("127.0.0.1", 5000), authkey=authkey)
//	m.get_server().serve_forever()
//
// # Addresses
//
// An address is written in one of three ways. Python takes the first as it is,
// and [Manager.PythonAddress] makes its literal of any:
//
//	Go                  Python
//	/run/app/manager    '/run/app/manager'    a unix socket; the path has a slash
//	127.0.0.1:5000      ('127.0.0.1', 5000)   TCP; port 0 chooses one; Python needs IPv4
//	@app                b'\x00app'            Linux's abstract unix socket
//
// # Who removes what, and when
//
// A segment has a name, and memory that is free when it has no name and is
// mapped by no process. The manager gives each segment that it tracks a second,
// hidden name in /dev/shm, which begins with ".pyshm-". When the name vanishes
// it is made anew from the hidden one: the same memory, under the same name. The
// manager hears of that from the system, and looks at all names every two
// seconds besides. In the meantime, some 50 µs as a rule and a few milliseconds
// when the machine is busy, others cannot attach; they can retry, as
// [pyshm.AttachContext] does.
//
//	who ends or unlinks, and how               without a manager        tracked by a Manager
//	a Python process that attached: normally,  name removed by its      stays
//	 by an exception, os._exit, a signal,       resource tracker
//	 SIGKILL
//	the same with track=False (Python 3.13),   stays                    stays
//	 or killed together with its tracker
//	a multiprocessing child (fork, spawn,      name removed then, or    stays
//	 forkserver)                                when its parent ends
//	shm.unlink() in Python, Unlink in Go, rm   name removed             stays
//	a Go process that attached                 stays                    stays
//	Release, by anyone who knows the authkey                            removed
//	Untrack, by the manager's own process                               stays, and is not restored any more
//	Shutdown of the manager, by anyone who                              all removed
//	 knows the authkey
//	the manager is killed                                               stays, and is not restored any more,
//	                                                                     also by the next manager; the hidden
//	                                                                     name is left behind, for
//	                                                                     pyshm rm --orphans
//
// The manager cannot tell a resource tracker's unlink from an explicit one: both
// are undone. A name has one manager: [Manager.Track] refuses what another manager,
// or pyshm hold, keeps already, in whatever process. A name that another segment has taken in the meantime is left to
// that one. What the processes that are attached hold stays valid in any case,
// released or not.
//
// Python's own manager does not restore names. A segment that a client creates
// through it is gone when that client ends.
//
// # Protocol
//
// It is that of CPython 3.8 to 3.15. Both sides prove by an HMAC over the other's
// challenge that they know the authkey, the client first; then the client sends
// one request, a pickle of (None, method, arguments, {}), and the server one
// reply, a pickle of ("#RETURN", value) or ("#TRACEBACK", text), and closes. The
// methods are track_segment, release_segment, list_segments, shutdown, dummy,
// number_of_objects and debug_info. Anything else raises a RemoteError in the
// client, as with CPython, and the server goes on. SharedMemoryManager needs no
// more; proxies of other objects are not supported.
//
// Differences from CPython's server: shutdown does not stop at segments that
// have vanished, and is answered once; a segment's name must be a str that can
// be one; release_segment is no error when the manager holds a segment whose
// name is missing just then.
//
// # Security
//
// Who knows the authkey may have the manager track and unlink any segment that
// the manager's user may unlink, and end it. That is all: pickles are read as
// data, of which nothing is ever called. The authkey itself never travels, and is
// in no error and no log.
//
// Strangers, who do not know it, can make the manager read 256 bytes at a time
// and compute a MAC. They lose the connection after [HandshakeTimeout], or when
// all of [MaxConnections] are taken and somebody else connects, or when the
// process has no descriptors left. Keys are compared in constant time. A unix
// socket has mode 0600 from its first moment, so that only the same user gets
// that far; an abstract one, like TCP, is open to all users of the machine.
//
// The handshake has the weaknesses of CPython's. It does not encrypt: TCP is for
// the loopback interface, where shared memory is of use anyway. It accepts
// HMAC-MD5, because CPython 3.11 and earlier know nothing else; in FIPS 140-only
// mode (GODEBUG=fips140=only) it does not, so that only CPython 3.12 and later can
// connect or be connected to, and the authkey must have 14 bytes. It does not tell
// client from server: whoever can pretend to be the server, and has clients
// connect, can pass on their challenges and so appear to know the authkey. A unix
// socket in a folder of one's own, which is what [Start] makes of an empty
// address, prevents that.
//
// # Systems
//
// Linux. Elsewhere [New] and [Start] answer [errors.ErrUnsupported].
package manager
