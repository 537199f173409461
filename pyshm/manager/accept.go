package manager

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// accept starts a session for each client until the manager is shut down.
func (m *Manager) accept(l net.Listener) error {
	defer m.serving.Done()
	for {
		conn, err := l.Accept()
		switch {
		case m.isClosing():
			if err == nil {
				conn.Close()
			}
			return nil
		case isTemporary(err):
			// Sessions that end will give descriptors back.
			m.options.log.Warn("client not accepted yet", "error", err)
			time.Sleep(10 * time.Millisecond)
		case err != nil:
			return err
		default:
			m.admit(conn)
		}
	}
}

func isTemporary(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && errno.Temporary()
}

// admit starts a session, as soon as there may be one more.
func (m *Manager) admit(conn net.Conn) {
	select {
	case m.slots <- struct{}{}:
	default:
		m.evict()
		select {
		case m.slots <- struct{}{}:
		case <-m.closing:
			conn.Close()
			return
		}
	}
	s := &session{manager: m, conn: conn, since: time.Now()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isClosing() {
		conn.Close()
		<-m.slots
		return
	}
	m.sessions[s] = struct{}{}
	m.serving.Go(s.run)
}

// evict ends the session that has been at its handshake the longest. Strangers
// who take their time can thus keep nobody out.
func (m *Manager) evict() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var oldest *session
	for s := range m.sessions {
		if !s.authenticated && (oldest == nil || s.since.Before(oldest.since)) {
			oldest = s
		}
	}
	if oldest != nil {
		oldest.conn.Close()
	}
}

// leave is the end of a session.
func (m *Manager) leave(s *session) {
	s.conn.Close()
	m.mu.Lock()
	delete(m.sessions, s)
	m.mu.Unlock()
	<-m.slots
}
