// Package unixsocket listens at the path of a unix socket. It takes the path over only
// from a process that was killed. A listener removes only its own socket when it is
// closed, and not a later socket at the same path.
package unixsocket
