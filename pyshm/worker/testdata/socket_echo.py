import base64
import json
import socket
import struct
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])


def receive(n):
    data = bytearray(n)
    view = memoryview(data)
    while view:
        n = connection.recv_into(view)
        if n == 0:
            sys.exit()
        view = view[n:]
    return data


while True:
    codec, size = struct.unpack("<BI", receive(5))
    body = receive(size)
    if codec == ord("j"):
        value = base64.b64decode(json.loads(body)["args"][0] or "")
        body = json.dumps({"result": base64.b64encode(value).decode()}).encode()
    else:
        value = bytes(memoryview(body)[5:])
        body = struct.pack(">BI", 0xC6, len(value)) + value
    connection.sendall(struct.pack("<BI", codec, len(body)) + body)
