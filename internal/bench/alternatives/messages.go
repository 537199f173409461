//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// overSocket opens a way over a Unix socket for a class of Python's side.
func overSocket[T element](class string, way func(s *session, c *net.UnixConn) passer[T]) func(s *session) (passer[T], error) {
	return func(s *session) (passer[T], error) {
		path := s.path()
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return passer[T]{}, err
		}
		var p passer[T]
		connected := passer[T]{
			class:   fmt.Sprintf("%s(%q)", class, path),
			send:    func(data []T) error { return p.send(data) },
			receive: func() ([]T, error) { return p.receive() },
		}
		connected.accept = func() error {
			defer func() { _ = l.Close() }()
			c, err := l.AcceptUnix()
			if err == nil {
				s.atEnd(func() { _ = c.Close() })
				p = way(s, c)
			}
			return err
		}
		return connected, nil
	}
}

// path returns a path that no other way has.
func (s *session) path() string { return filepath.Join(s.dir, fmt.Sprint("way", s.ways)) }

// An encoder and a decoder of values, as several packages have them.
type (
	encoder interface{ Encode(v any) error }
	decoder interface{ Decode(v any) error }
)

func coded[T element](e encoder, flush func() error, d decoder) passer[T] {
	return passer[T]{
		send: func(data []T) error {
			if err := e.Encode(data); err != nil {
				return err
			}
			return flush()
		},
		receive: func() (data []T, err error) { return data, d.Decode(&data) },
	}
}

func viaJSON[T element](_ *session, c *net.UnixConn) passer[T] {
	return coded[T](json.NewEncoder(c), func() error { return nil }, json.NewDecoder(c))
}

func viaMsgpack[T element](_ *session, c *net.UnixConn) passer[T] {
	w := bufio.NewWriterSize(c, 65536)
	e := msgpack.NewEncoder(w)
	e.UseCompactInts(true)
	return coded[T](e, w.Flush, msgpack.NewDecoder(bufio.NewReaderSize(c, 65536)))
}

// viaFramedMsgpack puts the length of a message before it.
func viaFramedMsgpack[T element](_ *session, c *net.UnixConn) passer[T] {
	var buffer []byte
	return passer[T]{
		send: func(data []T) error {
			message, err := msgpack.Marshal(data)
			if err != nil {
				return err
			}
			both := net.Buffers{binary.LittleEndian.AppendUint32(nil, uint32(len(message))), message}
			_, err = both.WriteTo(c)
			return err
		},
		receive: func() (data []T, err error) {
			var head [4]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return nil, err
			}
			length := int(binary.LittleEndian.Uint32(head[:]))
			if cap(buffer) < length {
				buffer = make([]byte, length)
			}
			if _, err := io.ReadFull(c, buffer[:length]); err != nil {
				return nil, err
			}
			return data, msgpack.Unmarshal(buffer[:length], &data)
		},
	}
}

// packed passes the elements alone, packed.
func packed[T element](s *session, write, read func([]byte) error) passer[T] {
	data := make([]T, s.count)
	buffer := make([]byte, binary.Size(data))
	bytes, areBytes := any(data).([]byte)
	return passer[T]{
		send: func(data []T) error {
			if bytes, ok := any(data).([]byte); ok {
				return write(bytes)
			}
			if _, err := binary.Encode(buffer, binary.LittleEndian, data); err != nil {
				return err
			}
			return write(buffer)
		},
		receive: func() ([]T, error) {
			if areBytes {
				return data, read(bytes)
			}
			if err := read(buffer); err != nil {
				return nil, err
			}
			_, err := binary.Decode(buffer, binary.LittleEndian, data)
			return data, err
		},
	}
}

func viaBytes[T element](s *session, c *net.UnixConn) passer[T] { return overStreams[T](s, c, c) }

func overStreams[T element](s *session, w io.Writer, r io.Reader) passer[T] {
	return packed[T](s,
		func(b []byte) error { _, err := w.Write(b); return err },
		func(b []byte) error { _, err := io.ReadFull(r, b); return err })
}

func overPipes[T element](s *session) (p passer[T], err error) {
	var ends [2]*os.File
	for i, end := range []string{".python", ".go"} {
		if err := syscall.Mkfifo(s.path()+end, 0o600); err != nil {
			return p, err
		}
		// With both directions, it need not wait for Python.
		if ends[i], err = os.OpenFile(s.path()+end, os.O_RDWR, 0); err != nil {
			return p, err
		}
		s.atEnd(func() { ends[i].Close() })
	}
	p = overStreams[T](s, ends[0], ends[1])
	p.class = fmt.Sprintf("Pipe(%q)", s.path())
	return p, nil
}

// viaFiles writes a file for each direction, and a byte over a socket when it is there.
func viaFiles[T element](s *session, c *net.UnixConn) passer[T] {
	path := c.LocalAddr().String()
	token := make([]byte, 1)
	return packed[T](s,
		func(b []byte) error {
			if err := os.WriteFile(path+".python", b, 0o600); err != nil {
				return err
			}
			_, err := c.Write(token)
			return err
		},
		func(b []byte) error {
			if _, err := io.ReadFull(c, token); err != nil {
				return err
			}
			f, err := os.Open(path + ".go")
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.ReadFull(f, b)
			return err
		})
}

// overConnection uses multiprocessing.connection: a list is pickled, and bytes are sent as
// they are.
func overConnection[T element](s *session) (p passer[T], err error) {
	path := s.path()
	l, err := connection.Listen(path, nil)
	if err != nil {
		return p, err
	}
	var c *connection.Conn
	accept := func() (err error) {
		defer func() { _ = l.Close() }()
		if c, err = l.Accept(s.ctx); err == nil {
			s.atEnd(func() { _ = c.Close() })
		}
		return err
	}
	p = passer[T]{
		class:  fmt.Sprintf("Connection(%q)", path),
		accept: accept,
		send: func(data []T) error {
			if bytes, ok := any(data).([]byte); ok {
				return c.SendBytes(s.ctx, bytes)
			}
			return c.Send(s.ctx, data)
		},
	}
	p.receive = func() (data []T, err error) {
		if _, ok := any(data).([]byte); ok {
			bytes, err := c.RecvBytes(s.ctx)
			data, _ = any(bytes).([]T)
			return data, err
		}
		v, err := c.Recv(s.ctx)
		if err != nil {
			return nil, err
		}
		return elementsOf[T](v)
	}
	return p, nil
}

// elementsOf returns the ints of a list that Python has sent.
func elementsOf[T element](v any) ([]T, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%T came back", v)
	}
	data := make([]T, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok {
			return nil, fmt.Errorf("item %d is of type %T", i, item)
		}
		data[i] = T(n)
	}
	return data, nil
}
