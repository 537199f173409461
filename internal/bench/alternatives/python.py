# Python's side of the comparison. Each class is one way to pass data: receive() returns
# data that can be changed, and send() sends it. Data is a list of ints, or an array of
# bytes. A way is written as a competent user of the library would write it.
import array
import base64
import json
import os
import socket
import struct
import time
from multiprocessing.connection import Client

import msgpack
import numpy as np
from pyshm_attach import attach_array, attach_list, attach_semaphore


def answer(way, n):
    """Change the first item of what comes, and send all of it back."""
    for _ in range(n):
        data = way.receive()
        data[0] = int(data[0]) + 1 & way.most
        way.send(data)


def start(way, n):
    """Send data and receive it again, and return how many nanoseconds n rounds took."""
    data = way.first()
    for i in range(n + 1):
        if i == 1:  # Go takes part since the round before
            began = time.perf_counter_ns()
        before = int(data[0])
        way.send(data)
        data = way.receive()
        if data[0] != before + 1 & way.most:
            raise AssertionError("%d came back for %d" % (data[0], before))
    return time.perf_counter_ns() - began


class Way:
    def __init__(self, kind, count):
        self.is_list = kind == "q"
        self.count, self.size = count, count * struct.calcsize(kind)
        self.most = 2**62 - 1 if self.is_list else 255

    def first(self):
        return [0] * self.count if self.is_list else np.zeros(self.count, "u1")

    def unpack(self, data):
        """Return packed bytes as a list or an array."""
        if self.is_list:
            return list(struct.unpack("<%dq" % self.count, data))
        return np.frombuffer(data, "u1")

    def pack(self, data):
        return struct.pack("<%dq" % self.count, *data) if self.is_list else data


class Socket(Way):
    def __init__(self, kind, count, path):
        super().__init__(kind, count)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def receive_into(self, buffer):
        rest = memoryview(buffer)
        while rest:
            rest = rest[self.socket.recv_into(rest) :]
        return buffer


class Json(Socket):
    """Lines of JSON. Bytes are in base64."""

    def __init__(self, *where):
        super().__init__(*where)
        self.lines = self.socket.makefile("rwb")

    def send(self, data):
        if not self.is_list:
            data = base64.b64encode(data).decode()
        self.lines.write(json.dumps(data).encode() + b"\n")
        self.lines.flush()

    def receive(self):
        data = json.loads(self.lines.readline())
        return data if self.is_list else np.frombuffer(base64.b64decode(data), "u1").copy()


class MsgpackFed(Socket):
    """Messages of msgpack, fed to an Unpacker as they come."""

    def __init__(self, *where):
        super().__init__(*where)
        self.unpacker = msgpack.Unpacker(max_buffer_size=2**31 - 1)

    def send(self, data):
        self.socket.sendall(msgpack.packb(data if self.is_list else data.tobytes()))

    def receive(self):
        while True:
            for data in self.unpacker:
                return data if self.is_list else np.frombuffer(data, "u1").copy()
            self.unpacker.feed(self.socket.recv(65536))


class MsgpackFramed(Socket):
    """Messages of msgpack behind their length, received into one buffer."""

    def __init__(self, *where):
        super().__init__(*where)
        self.head, self.buffer = bytearray(4), bytearray()

    def send(self, data):
        message = msgpack.packb(data if self.is_list else memoryview(data))
        if len(message) < 65536:
            self.socket.sendall(len(message).to_bytes(4, "little") + message)
        else:
            self.socket.sendall(len(message).to_bytes(4, "little"))
            self.socket.sendall(message)

    def receive(self):
        length = int.from_bytes(self.receive_into(self.head), "little")
        if len(self.buffer) < length:
            self.buffer = bytearray(length)
        message = self.receive_into(memoryview(self.buffer)[:length])
        data = msgpack.unpackb(message, max_bin_len=length, max_array_len=length)
        return data if self.is_list else np.frombuffer(data, "u1").copy()


class SocketJoined(Socket):
    """The bytes alone, as one writes it first."""

    def send(self, data):
        self.socket.sendall(data.tobytes())

    def receive(self):
        pieces, rest = [], self.size
        while rest > 0:
            pieces.append(self.socket.recv(min(rest, 65536)))
            rest -= len(pieces[-1])
        return np.frombuffer(b"".join(pieces), "u1").copy()


class SocketInto(Socket):
    """The bytes alone, received into the same array each time."""

    def __init__(self, *where):
        super().__init__(*where)
        self.data = bytearray(self.size)

    def send(self, data):
        self.socket.sendall(self.pack(data))

    def receive(self):
        return self.unpack(self.receive_into(self.data))


class Connection(Way):
    """multiprocessing.connection: a pickled list, or bytes received into an array."""

    def __init__(self, kind, count, path):
        super().__init__(kind, count)
        self.connection = Client(path)
        self.data = np.zeros(self.size, "u1")

    def send(self, data):
        if self.is_list:
            self.connection.send(data)
        else:
            self.connection.send_bytes(data)

    def receive(self):
        if self.is_list:
            return self.connection.recv()
        self.connection.recv_bytes_into(self.data)
        return self.data


class Pipe(Way):
    """Packed bytes through two pipes."""

    def __init__(self, kind, count, path):
        super().__init__(kind, count)
        self.to_go, self.to_python = os.open(path + ".go", os.O_WRONLY), os.open(path + ".python", os.O_RDONLY)
        self.data = bytearray(self.size)

    def send(self, data):
        rest = memoryview(self.pack(data))
        while rest:
            rest = rest[os.write(self.to_go, rest) :]

    def receive(self):
        rest = memoryview(self.data)
        while rest:
            rest = rest[os.readv(self.to_python, [rest]) :]
        return self.unpack(self.data)


class File(Socket):
    """A file of packed bytes for each direction. A byte on a socket says that it is there."""

    def __init__(self, kind, count, path):
        super().__init__(kind, count, path)
        self.kind, self.to_go, self.to_python = kind, path + ".go", path + ".python"

    def send(self, data):
        with open(self.to_go, "wb") as file:
            (array.array("q", data) if self.is_list else data).tofile(file)
        self.socket.sendall(b".")

    def receive(self):
        self.socket.recv(1)
        if not self.is_list:
            return np.fromfile(self.to_python, "u1")
        data = array.array("q")
        with open(self.to_python, "rb") as file:
            data.fromfile(file, self.count)
        return data.tolist()


def acquire_spinning(acquire):
    """Try for about 0.1 ms before sleeping."""
    for _ in range(1000):
        if acquire(False):
            return
    acquire()


class Shared(Way):
    """Shared memory. What send and receive do is to hand it over, by two semaphores."""

    def __init__(self, kind, count, name, to_go, to_python, spinning):
        super().__init__(kind, count)
        self.spinning = spinning
        self.release, self.acquire = attach_semaphore(to_go).release, attach_semaphore(to_python).acquire
        self.open(name)

    def open(self, name):
        self.data = attach_array(name)

    def first(self):
        return self.data

    def send(self, data):
        self.release()

    def receive(self):
        if self.spinning:
            acquire_spinning(self.acquire)
        else:
            self.acquire()
        return self.data


class SharedCopied(Shared):
    """Data of this process, copied into shared memory and out of it."""

    def open(self, name):
        super().open(name)
        self.own = np.zeros(self.count, self.data.dtype)

    def first(self):
        return self.own

    def send(self, data):
        self.data[:] = data
        super().send(data)

    def receive(self):
        self.own[:] = super().receive()
        return self.own


class ListInPlace(Shared):
    """A ShareableList of which one item is used."""

    def open(self, name):
        self.data = self.list = attach_list(name)


class ListItems(ListInPlace):
    """A ShareableList that becomes a list, and back item by item."""

    def send(self, data):
        items = self.data
        for i, item in enumerate(data):
            items[i] = item
        super().send(data)

    def receive(self):
        return list(super().receive())


class ListCast(ListInPlace):
    """The items of a ShareableList, all of them ints, as a memoryview: a list, and back at once."""

    def open(self, name):
        super().open(name)
        begin = self.list._offset_data_start
        self.data = self.list.shm.buf[begin : begin + self.size].cast("q")

    def send(self, data):
        self.data[:] = array.array("q", data)
        super().send(data)

    def receive(self):
        return super().receive().tolist()


class ListNumpy(ListInPlace):
    """The items of a ShareableList, all of them ints, as a numpy array, in place."""

    def open(self, name):
        super().open(name)
        self.data = np.frombuffer(self.list.shm.buf, "q", self.count, self.list._offset_data_start)


class SharedWatched(Way):
    """Shared memory, handed over by two numbers that the other side watches all the time."""

    def __init__(self, kind, count, name, numbers):
        super().__init__(kind, count)
        self.data, self.numbers = attach_array(name), memoryview(attach_array(numbers))
        self.sent = self.received = 0

    def first(self):
        return self.data

    def send(self, data):
        self.sent += 1
        self.numbers[0] = self.sent

    def receive(self):
        numbers, self.received = self.numbers, self.received + 1
        while numbers[8] != self.received:
            pass
        return self.data
