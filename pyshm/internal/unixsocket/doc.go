// Package unixsocket listens at the path of a unix socket. It takes the path over only
// from a process that was killed. A listener that is closed removes only its own socket,
// and leaves another that is at the path by then.
package unixsocket
