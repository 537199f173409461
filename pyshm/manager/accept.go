package manager

import (
	"errors"
	"net"
	"syscall"
	"time"
)

const (
	retryInterval = 10 * time.Millisecond // between attempts to accept a client
	warnInterval  = time.Minute           // between log entries about them

	// grace is how long a client may take for its handshake, at least, when there
	// is no room for another. It takes about a millisecond, but strangers can come
	// by the hundred in that time.
	grace = 100 * time.Millisecond
)

// accept starts a session for each client until the manager is shut down.
func (m *Manager) accept(l net.Listener) error {
	defer m.serving.Done()
	var warned time.Time
	for {
		conn, err := l.Accept()
		switch {
		case m.isClosing():
			if err == nil {
				conn.Close()
			}
			return nil
		case isTemporary(err):
			if time.Since(warned) > warnInterval {
				m.options.log.Warn("client not accepted yet", "error", err)
				warned = time.Now()
			}
			// A session that ends gives a descriptor back. Whether a client waits
			// for it is not known, because accept(2) takes the descriptor first;
			// so those that have just come are spared. The others all go: one at
			// a time, strangers would return sooner than they are sent away.
			m.evictOld()
			time.Sleep(retryInterval)
		case err != nil:
			return err
		default:
			m.admit(conn)
		}
	}
}

// isTemporary tells whether accept may succeed after an error: after any of the
// system's but those that say that the listener is none. accept(2) lists a dozen
// and asks to expect more, such as what befell the connection that was next.
func isTemporary(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false // net.ErrClosed, or whatever the caller's own listener has
	}
	return errno != syscall.EBADF && errno != syscall.EINVAL && errno != syscall.ENOTSOCK
}

// admit starts a session, as soon as there may be one more.
func (m *Manager) admit(conn net.Conn) {
	select {
	case m.slots <- struct{}{}:
	default:
		if !m.makeRoom() {
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

// makeRoom waits until there may be one more session, or the manager is shut down
// and it returns false.
func (m *Manager) makeRoom() bool {
	for {
		again := time.NewTimer(m.evictOldest())
		select {
		case m.slots <- struct{}{}:
			again.Stop()
			return true
		case <-m.closing:
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

// evictOldest ends the session that has been at its handshake the longest, if that
// is no less than grace, and returns after what time to call it again. Strangers
// that take their time can thus keep no client out.
func (m *Manager) evictOldest() (again time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var oldest *session
	for s := range m.sessions {
		if !s.authenticated && (oldest == nil || s.since.Before(oldest.since)) {
			oldest = s
		}
	}
	if oldest == nil {
		return grace
	}
	if age := time.Since(oldest.since); age < grace {
		return grace - age
	}
	oldest.conn.Close()
	return grace
}

// evictOld ends all sessions that have been at their handshakes for grace.
func (m *Manager) evictOld() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.sessions {
		if !s.authenticated && time.Since(s.since) >= grace {
			s.conn.Close()
		}
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
