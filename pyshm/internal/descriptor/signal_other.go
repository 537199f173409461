//go:build linux || freebsd

package descriptor

import "golang.org/x/sys/unix"

// noSignal is the flag with which a write to a socket without a peer sends no SIGPIPE.
const noSignal = unix.MSG_NOSIGNAL
