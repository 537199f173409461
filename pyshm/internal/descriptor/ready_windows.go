package descriptor

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// IsReady reports whether a read from a stream, which is a socket, would not have to wait.
func IsReady(s Stream) (ready bool, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return false, err
	}
	const pollRDNORM, pollRDBAND = 0x100, 0x200 // POLLIN of winsock2.h is both
	errControl := raw.Control(func(socket uintptr) {
		poll := struct { // WSAPOLLFD
			socket          uintptr
			events, revents int16
		}{socket, pollRDNORM | pollRDBAND, 0}
		n, _, e := wsaPoll.Call(uintptr(unsafe.Pointer(&poll)), 1, 0)
		ready = int32(n) > 0
		if int32(n) < 0 {
			err = e
		}
	})
	if errControl != nil {
		return false, errControl
	}
	return ready, err
}

var wsaPoll = windows.NewLazySystemDLL("ws2_32.dll").NewProc("WSAPoll")
