# Python's side of BenchmarkFrame.
import socket
import time

from pyshm_attach import attach_array, attach_block, attach_semaphore

try:
    import numpy
except ImportError:
    numpy = None
try:
    import msgpack
except ImportError:
    msgpack = None

SIZE, STRIDE = 1920 * 1080 * 3, 4096
times = {}


def flat(memory):
    return numpy.frombuffer(memory, "u1") if numpy else memoryview(memory).cast("B")


def begin(name, offset, go, python, path):
    global shared, block, to_go, to_python, connection, picture, result
    if numpy:
        shared = attach_array(name).reshape(-1)
    else:
        block = attach_block(name)
        shared = block.buf[offset : offset + SIZE]
    to_go, to_python = attach_semaphore(go), attach_semaphore(python)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    picture, result = flat(bytearray(SIZE)), flat(bytearray(SIZE))


def end():
    global shared
    connection.close()
    if not numpy:
        shared.release()
        block.close()
    del shared


def run(way, rounds):
    """Pass frames in one way, and keep how long each round took, in seconds."""
    for n in range(rounds):
        sent = bytes([n]) * len(range(0, SIZE, STRIDE))
        marks = flat(sent)
        began = time.perf_counter()
        seen = globals()["pass_" + way](marks)
        times.setdefault(way, []).append(time.perf_counter() - began)
        if bytes(seen[::STRIDE]) != bytes([n + 1]) * len(sent):
            raise AssertionError(way + ": a frame is wrong")


def pass_inplace(marks):
    shared[::STRIDE] = marks
    to_go.release()
    to_python.acquire()
    return shared


def pass_copied(marks):
    picture[::STRIDE] = marks
    shared[:] = picture
    to_go.release()
    to_python.acquire()
    result[:] = shared
    return result


pass_copied4 = pass_copied


def pass_socket(marks):
    picture[::STRIDE] = marks
    connection.sendall(picture)
    chunks, rest = [], SIZE
    while rest > 0:
        chunks.append(connection.recv(min(rest, 65536)))
        rest -= len(chunks[-1])
    return flat(b"".join(chunks))


def pass_socketinto(marks):
    picture[::STRIDE] = marks
    connection.sendall(picture)
    rest = memoryview(result)
    while len(rest) > 0:
        rest = rest[connection.recv_into(rest) :]
    return result


def pass_msgpack(marks):
    picture[::STRIDE] = marks
    frame = picture.tobytes()
    connection.sendall(msgpack.packb({"dtype": "|u1", "shape": [1080, 1920, 3], "frame": frame}))
    unpacker = msgpack.Unpacker(max_buffer_size=2 * SIZE)
    while True:
        unpacker.feed(connection.recv(1 << 20))
        for message in unpacker:
            return flat(message["frame"])
