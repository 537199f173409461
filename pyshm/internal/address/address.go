// Package address reads the addresses at which servers of multiprocessing listen,
// connects to them, and listens at them. An address is written in one of three ways:
// /a/path, or any other path with a slash; host:port; @name, an abstract socket of
// Linux.
package address

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
)

// An Address is where a server listens, in the terms of package net, where the name of
// an abstract socket begins with @. The zero value is no address.
type Address struct {
	Network string // "unix" or "tcp"
	Name    string
}

// Of returns the address of a listener or of the end of a connection.
func Of(a net.Addr) Address { return Address{a.Network(), a.String()} }

// maxSocketPath is the length of sockaddr_un's path without its NUL, in bytes: 107 on Linux,
// 103 on macOS and FreeBSD.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// Parse reads an address. The error is [fs.ErrInvalid], or errors.ErrUnsupported for an
// address of another system.
func Parse(s string) (Address, error) {
	isPath, isAbstract := strings.Contains(s, "/"), strings.HasPrefix(s, "@")
	switch {
	case strings.HasPrefix(s, `\\.\pipe\`):
		return Address{}, errPipe
	case strings.Contains(s, "\x00"):
		return Address{}, invalid("the address contains a NUL (an abstract socket is written @name)")
	case !isPath && !isAbstract:
		return parseTCP(s)
	case len(s) > maxSocketPath:
		return Address{}, invalid("the path of a unix socket has at most %d bytes, this one %d", maxSocketPath, len(s))
	}
	err := checkUnix()
	if err == nil && isAbstract && !hasAbstract {
		err = errAbstract
	}
	return Address{"unix", s}, err
}

// errPipe is the error for an address of Python's AF_PIPE. Its messages have no length
// in front: the pipe itself keeps them apart.
var errPipe = fmt.Errorf("%w: it is a named pipe of Windows: have the server listen at host:port", errors.ErrUnsupported)

// errAbstract is the error for an abstract socket elsewhere than on Linux.
var errAbstract = fmt.Errorf("%w: only Linux has abstract sockets: use a path with a slash", errors.ErrUnsupported)

// hasAbstract reports whether there are abstract sockets.
const hasAbstract = runtime.GOOS == "linux"

func parseTCP(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return Address{}, invalid("address %q is neither host:port, nor a path with a slash, nor @name", s)
	}
	return Address{"tcp", net.JoinHostPort(host, port)}, nil
}

// Python returns the address as a Python literal, in the form that multiprocessing
// expects. The literal of no address is None.
func (a Address) Python() string {
	if a == (Address{}) {
		return "None"
	}
	if host, port, err := net.SplitHostPort(a.Name); a.Network == "tcp" && err == nil {
		if host == "::" {
			host = "" // Python listens at all interfaces, and IPv4 reaches them, too
		}
		return fmt.Sprintf("(%s, %s)", format.Repr(host), port)
	}
	if name, ok := strings.CutPrefix(a.Name, "@"); ok && a.Network == "unix" {
		return format.Repr([]byte("\x00" + name))
	}
	return pathRepr(a.Name)
}

// pathRepr returns Python's repr of a path. Python represents each byte that is not
// UTF-8 by a lone surrogate (PEP 383), which no string of Go can hold.
func pathRepr(path string) string {
	quote := format.Repr(strings.ToValidUTF8(path, ""))[:1]
	var b strings.Builder
	b.WriteString(quote)
	for i, r := range path {
		_, size := utf8.DecodeRuneInString(path[i:])
		switch char := path[i : i+size]; {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\udc%02x`, path[i])
		case char == quote:
			b.WriteString(`\` + quote)
		default:
			literal := format.Repr(char)
			b.WriteString(literal[1 : len(literal)-1])
		}
	}
	b.WriteString(quote)
	return b.String()
}

// invalid returns the error for a refused address.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", fs.ErrInvalid, fmt.Sprintf(format, args...))
}
