// Package admission lets clients of a server in, as many as there is room for. Clients
// that do not authenticate themselves keep no other client out.
package admission

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	retryInterval = 10 * time.Millisecond // between attempts to accept a client
	warnInterval  = time.Minute           // between log entries about failed attempts

	// Grace is the time that a client has for its handshake at least, even if there is
	// no room for another client. A handshake takes about a millisecond, but hundreds of
	// strangers can come at the same time.
	Grace = 100 * time.Millisecond
)

// A Door lets clients in. Its methods may be called by several goroutines at once.
type Door struct {
	log     *slog.Logger
	slots   chan struct{} // one element for each guest
	closing chan struct{} // closed by Close
	serving sync.WaitGroup

	mu     sync.Mutex
	guests map[*Guest]struct{}
}

// New returns a door with room for a number of guests, at least one.
func New(room int, log *slog.Logger) *Door {
	return &Door{
		log:     log,
		slots:   make(chan struct{}, room),
		closing: make(chan struct{}),
		guests:  map[*Guest]struct{}{},
	}
}

// A Guest is a client that was let in. It is a stranger until [Guest.Welcome].
type Guest struct {
	Conn net.Conn

	door    *Door
	since   time.Time
	welcome bool // guarded by the door's mutex, as is gone
	gone    bool // sent away
}

// Welcome marks a guest as authenticated: the door no longer sends it away to make room.
// The handshake must be over. Welcome returns false if the door has sent the guest away: its
// connection is closed then.
func (g *Guest) Welcome() bool {
	quickAck(g.Conn)
	g.door.mu.Lock()
	defer g.door.mu.Unlock()
	g.welcome = !g.gone
	return g.welcome
}

// sendAway closes the connection of a guest. The door's mutex is held.
func (g *Guest) sendAway() {
	g.gone = true
	g.Conn.Close()
}

// Leave gives the place of a guest to another client. Its connection stays open.
func (g *Guest) Leave() {
	g.door.mu.Lock()
	delete(g.door.guests, g)
	g.door.mu.Unlock()
	<-g.door.slots
}

// Serve lets the clients of a listener in until the door is closed. Then it returns nil.
// It calls serve for each client, in a goroutine of its own. The function serve has to
// call [Guest.Leave] before it returns, and is responsible for the connection. Temporary
// errors of the system are retried; any other error of the listener is returned.
func (d *Door) Serve(l net.Listener, serve func(*Guest)) error {
	if !d.begin() {
		return nil
	}
	defer d.serving.Done()
	var warned time.Time
	for {
		conn, err := l.Accept()
		switch {
		case d.IsClosed():
			if err == nil {
				conn.Close()
			}
			return nil
		case isTemporary(err):
			if time.Since(warned) > warnInterval {
				d.log.Warn("client not accepted yet", "error", err)
				warned = time.Now()
			}
			// A guest that leaves gives a descriptor back. Whether a client waits for a
			// descriptor is unknown, because accept(2) takes the descriptor first. So
			// strangers that have just come may stay. All other strangers go: they would
			// come back faster than they could be sent away one at a time.
			d.evictOld()
			time.Sleep(retryInterval)
		case err != nil:
			return err
		default:
			d.admit(conn, serve)
		}
	}
}

// begin counts a Serve for Wait, unless the door is closed.
func (d *Door) begin() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.IsClosed() {
		return false
	}
	d.serving.Add(1)
	return true
}

// isTemporary reports whether accept may succeed after an error. It may succeed after any
// error of the system, except if the descriptor is no listener. accept(2) lists a dozen
// temporary errors and asks to expect more, such as an error of the next connection.
func isTemporary(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false // net.ErrClosed, or an error of the caller's own listener
	}
	return errno != syscall.EBADF && errno != syscall.EINVAL && errno != syscall.ENOTSOCK
}

// admit lets a client in, as soon as there is room.
func (d *Door) admit(conn net.Conn, serve func(*Guest)) {
	select {
	case d.slots <- struct{}{}:
	default:
		if !d.makeRoom() {
			conn.Close()
			return
		}
	}
	g := &Guest{Conn: conn, door: d, since: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.IsClosed() {
		conn.Close()
		<-d.slots
		return
	}
	d.guests[g] = struct{}{}
	d.serving.Go(func() { serve(g) })
}

// makeRoom takes a slot as soon as one is free. It returns false if the door is closed
// before.
func (d *Door) makeRoom() bool {
	for {
		again := time.NewTimer(d.evictOldest())
		select {
		case d.slots <- struct{}{}:
			again.Stop()
			return true
		case <-d.closing:
			again.Stop()
			return false
		case <-again.C:
		}
	}
}

// evictOldest sends away the guest that has been a stranger the longest, if it has been a
// stranger for Grace. It returns the time after which to call it again. So strangers that
// take their time keep no client out.
func (d *Door) evictOldest() (again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest *Guest
	for g := range d.guests {
		if !g.welcome && (oldest == nil || g.since.Before(oldest.since)) {
			oldest = g
		}
	}
	if oldest == nil {
		return Grace
	}
	if age := time.Since(oldest.since); age < Grace {
		return Grace - age
	}
	oldest.sendAway()
	return Grace
}

// evictOld sends away all guests that have been strangers for Grace.
func (d *Door) evictOld() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.guests {
		if !g.welcome && time.Since(g.since) >= Grace {
			g.sendAway()
		}
	}
}

// Close closes the door: Serve lets no more clients in. The caller then closes the
// listener, and calls Dismiss. Close may be called once.
func (d *Door) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.closing)
}

// Dismiss closes the connections of all guests but one, which may be nil.
func (d *Door) Dismiss(except *Guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.guests {
		if g != except {
			g.sendAway()
		}
	}
}

// DismissStrangers closes the connections of the guests that are not welcome yet.
func (d *Door) DismissStrangers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.guests {
		if !g.welcome {
			g.sendAway()
		}
	}
}

// IsClosed reports whether Close has been called.
func (d *Door) IsClosed() bool {
	select {
	case <-d.closing:
		return true
	default:
		return false
	}
}

// Wait returns when the door is closed, and neither Serve nor a function that it has
// called runs any more.
func (d *Door) Wait() { d.serving.Wait() }

// Guests returns the number of guests, and how many of them are welcome.
func (d *Door) Guests() (all, welcome int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.guests {
		if g.welcome {
			welcome++
		}
	}
	return len(d.guests), welcome
}

// Room returns the number of places for guests, taken or free.
func (d *Door) Room() int { return cap(d.slots) }
