package manager

import (
	"net"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A client that has left Nagle's algorithm on, as Python's, need not wait for the system's
// 40 ms. The fastest request counts: any may be slow on a busy machine.
func TestRequestsOverTCPAreNotDelayed(t *testing.T) {
	m := startManager(t, "127.0.0.1:0")
	fastest := time.Hour
	for range 10 {
		start := time.Now()
		conn := dial(t, m)
		testkit.Check(t, conn.(*net.TCPConn).SetNoDelay(false))
		testkit.Check(t, wire.AuthenticateClient(conn, key))
		testkit.Check(t, wire.WriteFrame(conn, encodeRequest("dummy")))
		replyTo(t, conn)
		fastest = min(fastest, time.Since(start))
	}
	if fastest > 20*time.Millisecond {
		t.Errorf("the fastest of 10 requests took %v", fastest)
	}
}
