//go:build linux || darwin || freebsd

package descriptor

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Send sends a descriptor of f as Python's multiprocessing.reduction.sendfds does,
// together with one byte: the number of descriptors.
func Send(c *net.UnixConn, f *os.File) error {
	return control(f, func(fd int) error {
		_, _, err := c.WriteMsgUnix([]byte{1}, unix.UnixRights(fd), nil)
		return err
	})
}

// errNoDescriptor is the reason when a message comes without a descriptor.
var errNoDescriptor = errors.New("the peer has sent no descriptor")

// Receive receives a descriptor as Python's multiprocessing.reduction.recvfds does.
func Receive(c *net.UnixConn) (*os.File, error) {
	// There is room for several descriptors, so that a peer that sends more than one can
	// be refused, and none stays open.
	message, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4*16))
	_, n, _, _, err := c.ReadMsgUnix(message, rights)
	if err != nil {
		return nil, err
	}
	var fds []int
	controls, err := unix.ParseSocketControlMessage(rights[:n])
	for _, control := range controls {
		if more, err := unix.ParseUnixRights(&control); err == nil {
			fds = append(fds, more...)
		}
	}
	if err != nil || len(fds) != 1 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, errNoDescriptor
	}
	return os.NewFile(uintptr(fds[0]), "received"), nil
}
