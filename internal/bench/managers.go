//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/bench/rounds"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// managers has a Python track and release segments at a server of Python and at one of Go.
// Each of the two requests takes a connection and a handshake, as in multiprocessing.
func managers() []comparison {
	const name = "manager tracks and releases"
	return []comparison{
		{name: name, first: "Python server", second: "Go server", least: 3, start: func(b *bench) (python, inGo rounds.Side, end func(), err error) {
			s, err := startServers(b)
			if err != nil {
				return nil, nil, nil, err
			}
			return s.requests(s.python), s.requests(s.inGo), s.close, nil
		}},
		{name: name + ", CPU time", first: "Go server", second: "Python server", most: 0.2, start: func(b *bench) (inGo, python rounds.Side, end func(), err error) {
			s, err := startServers(b)
			if err != nil {
				return nil, nil, nil, err
			}
			return s.cpuTime(s.inGo), s.cpuTime(s.python), s.close, nil
		}},
	}
}

// A server is a process that serves at an address.
type server struct {
	address string
	pid     int
}

// servers are a Python server, a Go server and a Python client.
type servers struct {
	key          string
	python, inGo server
	client       *compat.Peer
	ends         []func()
}

func startServers(b *bench) (*servers, error) {
	key := make([]byte, 8)
	rand.Read(key)
	s := &servers{key: hex.EncodeToString(key)}
	err := s.start(b)
	if err != nil {
		s.close()
	}
	return s, err
}

func (s *servers) close() {
	for _, end := range s.ends {
		end()
	}
}

func (s *servers) start(b *bench) error {
	dir, err := os.MkdirTemp("", "pyshm-bench-")
	if err != nil {
		return err
	}
	s.ends = append(s.ends, func() { _ = os.RemoveAll(dir) })
	s.python.address, s.inGo.address = filepath.Join(dir, "python"), filepath.Join(dir, "go")
	if err := s.startPython(b); err != nil {
		return err
	}
	if err := s.startGo(); err != nil {
		return err
	}
	if s.client, err = b.startPeer(); err != nil {
		return err
	}
	s.ends = append(s.ends, func() { s.client.Close() })
	return s.client.Exec(requestsInPython)
}

// startPython starts a server as SharedMemoryManager.start does.
func (s *servers) startPython(b *bench) error {
	p, err := b.startPeer()
	if err != nil {
		return err
	}
	s.ends = append(s.ends, func() { p.Close() })
	err = p.Exec(fmt.Sprintf(`
from multiprocessing.managers import SharedMemoryManager
server = SharedMemoryManager(%s, authkey=%s).get_server()
`, format.Repr(s.python.address), format.Repr([]byte(s.key))))
	if err != nil {
		return err
	}
	s.python.pid = p.Pid()
	go func() { _ = p.Exec("server.serve_forever()") }() // until the end of the process
	return nil
}

// startGo starts a second process of this program.
func (s *servers) startGo() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-serve", s.inGo.address+" "+s.key)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.ends = append(s.ends, func() { input.Close(); cmd.Wait() })
	s.inGo.pid = cmd.Process.Pid
	_, err = io.ReadFull(output, make([]byte, 1))
	return err
}

// serve is the second process. It serves until the input ends.
func serve(where string, input io.Reader, output io.Writer) error {
	var address, key string
	if _, err := fmt.Sscan(where, &address, &key); err != nil {
		return err
	}
	m, err := manager.Start(address, []byte(key))
	if err != nil {
		return err
	}
	if _, err := output.Write([]byte{'.'}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, input); err != nil {
		return err
	}
	return m.Shutdown(context.Background())
}

const requestsInPython = `
import os, secrets, time
from multiprocessing.connection import Client
from multiprocessing.managers import dispatch
def track_and_release(address, key, n):
    names = ["pyshm_bench_" + secrets.token_hex(8) for _ in range(n)]
    for name in names:
        with open("/dev/shm/" + name, "wb") as file:
            file.write(bytes(8))
    began = time.perf_counter_ns()
    for name in names:
        for request in "track_segment", "release_segment":
            with Client(address, authkey=key) as connection:
                dispatch(connection, None, request, (name,))
    return time.perf_counter_ns() - began
`

func (s *servers) requests(of server) rounds.Side {
	return func(n int) (time.Duration, error) {
		took, err := s.client.Eval(fmt.Sprintf("track_and_release(%s, %s, %d)", format.Repr(of.address), format.Repr([]byte(s.key)), n))
		if err != nil {
			return 0, err
		}
		return time.Duration(took.(int64)), nil
	}
}

func (s *servers) cpuTime(of server) rounds.Side {
	request := s.requests(of)
	return func(n int) (time.Duration, error) {
		before, err := processTime(of.pid)
		if err != nil {
			return 0, err
		}
		if _, err := request(n); err != nil {
			return 0, err
		}
		after, err := processTime(of.pid)
		return after - before, err
	}
}

// processTime returns the CPU time of another process, by the clock that
// clock_getcpuclockid returns.
func processTime(pid int) (time.Duration, error) {
	var t syscall.Timespec
	const cpuClock = 2 // of all threads
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|cpuClock), uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return 0, errno
	}
	return time.Duration(t.Nano()), nil
}
