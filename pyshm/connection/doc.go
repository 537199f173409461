// Package connection speaks Python's multiprocessing.connection: it sends values to
// Python, and receives values from Python, over pipes, unix sockets and TCP. The other
// side needs nothing but Python's standard library, CPython 3.8 to 3.15 or PyPy.
//
// # Basics
//
// In Go
//
//	l, err := connection.Listen("/run/app/socket", &connection.Options{Authkey: authkey})
//	if err != nil {
//		return err
//	}
//	defer l.Close()
//	conn, err := l.Accept(ctx)
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	v, err := conn.Recv(ctx)
//
// and in Python
//
//	with multiprocessing.connection.Client("/run/app/socket", authkey=authkey) as conn:
//		conn.send({"name": "Ada", "scores": [1, 2.5]})
//
// [Dial] is the other way round: Python has the Listener. [Pipe] connects this process
// with a child, and [FromFile] with a parent.
//
// Values are the values of package format/pickle: int64, string, []any, *pickle.Dict and
// so on. Python's instances are inert objects there, which can be sent on as they came:
// nothing is imported or called. Send and Recv go with Python's send and recv, SendBytes
// and RecvBytes with send_bytes and recv_bytes. The bytes do not show which of the two it
// was.
//
// # Addresses
//
// An address is written in one of three ways. Python takes the first as it is, and
// [Listener.PythonAddress] makes its literal of any:
//
//	Go                  Python
//	/run/app/socket     '/run/app/socket'     a unix socket; the path has a slash
//	127.0.0.1:5000      ('127.0.0.1', 5000)   TCP; port 0 chooses one
//	@app                b'\x00app'            Linux's abstract unix socket
//
// [::1]:5000 is TCP over IPv6, which Python's Client and Listener cannot do: both peers
// have to be Go.
//
// # Pipes
//
// Go starts Python:
//
//	conn, file, err := connection.Pipe()
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	child := exec.CommandContext(ctx, "python3", "-c", `
//	from multiprocessing.connection import Connection
//	conn = Connection(3)
//	conn.send(conn.recv() * 2)`)
//	child.ExtraFiles = []*os.File{file} // descriptor 3 and up
//	err = child.Start()
//	file.Close()
//
// Python starts Go, which calls FromFile with the number that it is given:
//
//	mine, theirs = multiprocessing.Pipe()
//	child = subprocess.Popen(["program", str(theirs.fileno())], pass_fds=[theirs.fileno()])
//	theirs.close()
//
// Each side has to close its copy of the other's end. As long as it is open, the end of
// the other process cannot be seen.
//
// A Connection can be sent through a connection: [Rebuild] takes what Python has sent, and
// [Share] sends.
//
// # Security
//
// Both sides prove by an HMAC over the other's challenge that they know the authkey, which
// itself never travels and is in no error and no log. A Listener reads at most 256 bytes
// at a time from a client before that. Afterwards a frame has at most 1 GiB, or what
// [Conn.Limit] says, and takes no more memory than has arrived.
//
// Without an authkey, TCP and abstract sockets are open to all users of the machine, and a
// unix socket with a path to its owner alone.
//
// Python is less careful: its recv unpickles whatever comes, which may run any code. A
// process that knows the authkey of a Python process controls it.
//
// The handshake has the weaknesses of CPython's. It does not encrypt. It accepts
// HMAC-MD5, because CPython 3.11 and earlier know nothing else; in FIPS 140-only mode
// (GODEBUG=fips140=only) it does not, and works with CPython 3.12 and later alone. It does
// not distinguish client from server: a process that can pretend to be the server can pass
// on the challenges of a client to the true server, and so appear to know the authkey. A
// unix socket in a folder of one's own, which is what [Listen] makes of an empty address,
// prevents that.
//
// # Systems
//
// Linux, macOS and FreeBSD. Only Linux has abstract sockets. On macOS and FreeBSD the path of
// a unix socket has at most 103 bytes, a server whose queue of clients is full refuses further
// clients, so that Dial fails with ECONNREFUSED instead of waiting, and a goroutine that waits
// for a Conn of [FromFile] or [Rebuild] takes a thread. What is said about macOS and FreeBSD
// is compiled, and tested on Linux with the same code, but not yet on these systems.
//
// Elsewhere TCP works, and abstract sockets, pipes and descriptors are
// errors.ErrUnsupported. So are, on Windows, unix sockets and named pipes (Python's AF_PIPE),
// whose messages have another form. An empty address is a port of 127.0.0.1 there.
package connection
