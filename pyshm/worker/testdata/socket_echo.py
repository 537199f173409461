import base64
import json
import socket
import struct
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
buffer = bytearray(1 << 20)  # used again and again, as msgpack's Unpacker does


def receive(n):
    global buffer
    if n > len(buffer):
        buffer = bytearray(n)
    view = memoryview(buffer)[:n]
    got = 0
    while got < n:
        more = connection.recv_into(view[got:])
        if more == 0:
            sys.exit()
        got += more
    return view


while True:
    codec, size = struct.unpack(">BI", receive(5))
    value = bytes(receive(size))
    if codec == ord("j"):
        value = base64.b64decode(json.loads(value)["args"][0] or "")
        value = json.dumps({"result": base64.b64encode(value).decode()}).encode()
    connection.sendall(b"".join((struct.pack(">BI", codec, len(value)), value)))
