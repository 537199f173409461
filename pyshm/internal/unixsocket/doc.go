// Package unixsocket listens at the path of a unix socket. It takes the path over
// from a process that was killed, and from no other; and a listener that is closed
// removes its own socket, and no other that is at the path by then.
package unixsocket
