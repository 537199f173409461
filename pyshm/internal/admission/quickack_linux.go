package admission

import (
	"net"
	"syscall"
)

// quickAck confirms what has come over TCP at once. Python's clients leave Nagle's
// algorithm on and send two messages in a row, the end of the handshake and a request: the
// second one waits until the first is confirmed, which the system would put off for 40 ms.
func quickAck(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		// Without it a request takes longer, but arrives.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
