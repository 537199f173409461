package manager

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
)

// An address is where a server listens, in the terms of package net, in which
// an abstract socket's name begins with @.
type address struct {
	network string // "unix" or "tcp"
	name    string
}

// maxSocketPath is the length of sockaddr_un's path without its NUL, in bytes.
const maxSocketPath = 107

// parseAddress reads an address as the package documentation spells it.
func parseAddress(s string) (address, error) {
	isPath, isAbstract := strings.Contains(s, "/"), strings.HasPrefix(s, "@")
	switch {
	case strings.Contains(s, "\x00"):
		return address{}, invalid("the address contains a NUL (an abstract socket is written @name)")
	case !isPath && !isAbstract:
		return parseTCP(s)
	case len(s) > maxSocketPath:
		return address{}, invalid("the path of a unix socket has at most %d bytes, this one %d", maxSocketPath, len(s))
	}
	return address{"unix", s}, nil
}

func parseTCP(s string) (address, error) {
	host, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return address{}, invalid("address %q is neither host:port, nor a path with a slash, nor @name", s)
	}
	return address{"tcp", net.JoinHostPort(host, port)}, nil
}

// python returns the address as a Python literal, in the form that
// multiprocessing expects.
func (a address) python() string {
	if a == (address{}) {
		return "None"
	}
	if host, port, err := net.SplitHostPort(a.name); a.network == "tcp" && err == nil {
		if host == "::" {
			host = "" // of all interfaces, the one that is reached by IPv4, too
		}
		return fmt.Sprintf("(%s, %s)", format.Repr(host), port)
	}
	if name, ok := strings.CutPrefix(a.name, "@"); ok && a.network == "unix" {
		return format.Repr([]byte("\x00" + name))
	}
	return pathRepr(a.name)
}

// pathRepr returns Python's repr of a path. For each byte that is no UTF-8 Python
// has a lone surrogate (PEP 383), which no string of Go can hold.
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
