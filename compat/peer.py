"""The Python half of a Peer: executes Go's requests.

Runs on Python 3.8 and later and on PyPy with nothing but the standard library.
It is no file on the machine: Go starts `python -c` with this text on standard
input, and a worker gets the compiled text as an argument of exec(), which every
start method can pass on. Before it is executed, `code` is set to the compiled text.
In a worker, `connection` is set to the worker's end of a pipe.

Tests start this script thousands of times, so it does not import datetime,
dataclasses (and with it inspect) and traceback: a request with a value of theirs has,
and an error imports the last.

A message is one line of JSON. Go sends

    {"at": "a_test.go:7", "requests": [{"op": "get", "on": "_pyshm_list1", "args": [{"int": "0"}]}, ...]}
    {"exit": "sys.exit(3)"}

A message for the second worker of the first worker has "to": [1, 2] as well. The
answers are

    {"replies": [{"value": {"int": "42"}}, {"error": {"Type": ..., ...}}, ...]}
    {"exited": 3}     from the parent of a worker that has ended

Package internal/pyvalue documents the spelling of values.
"""

import array
import json
import multiprocessing
import operator
import os
import signal
import struct
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList, SharedMemory
from multiprocessing.util import register_after_fork

# Python would write to a pipe only when a buffer is full or the process ends.
sys.stdout.reconfigure(line_buffering=True)

# Ints cross in decimal. By default Python converts at most 4300 digits.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)

# The variables of Eval and Exec. Requests find the objects that they name here.
variables = {
    "ShareableList": ShareableList,
    "SharedMemory": SharedMemory,
    "multiprocessing": multiprocessing,
    "os": os,
    "resource_tracker": resource_tracker,
    "signal": signal,
    "struct": struct,
    "sys": sys,
}

workers = []


# ---- values ----


def spell(value):
    """Return the JSON form of a value, which keeps every bit of it."""
    kind = type(value)
    if kind in (list, tuple):
        return [spell(item) for item in value]
    if kind not in SPELLED:
        raise TypeError("Go has no type for %s" % kind.__name__)
    name, encode = SPELLED[kind]
    return {name: encode(value)}


def parse(spelled):
    """Return the value of this JSON form."""
    if isinstance(spelled, list):
        return [parse(item) for item in spelled]
    ((name, text),) = spelled.items()
    return PARSED[name](text)


def spell_data(value):
    """Return the JSON form of a value that Peer.EvalInto lists; refuse others."""
    kind = type(value)
    if kind in SPELLED:
        return spell(value)
    if is_numpy(value):
        return spell_data(from_numpy(value))
    if kind in TO_DATA:
        return spell_data(TO_DATA[kind](value))
    if is_time(kind):
        return spell(value.isoformat())
    if hasattr(kind, "__dataclass_fields__"):
        if isinstance(value, (int, float, str, bytes, dict, list, tuple)):
            raise TypeError("Go has no type for %s, which has fields and a content" % kind.__name__)
        fields = sys.modules["dataclasses"].fields(kind)
        return spell_dict([(field.name, getattr(value, field.name)) for field in fields])
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return spell_dict(zip(kind._fields, value))
    if isinstance(value, dict):
        return spell_dict(dict.items(value))
    if isinstance(value, (list, tuple)):
        return [spell_data(item) for item in value]
    for base in (int, float, str, bytes):  # an IntEnum, for one
        if isinstance(value, base):
            name, encode = SPELLED[base]
            return {name: encode(value)}
    raise TypeError("Go has no type for %s%s" % (kind.__name__, HINTS.get(kind, "")))


def spell_dict(items):
    flat = []
    for key, value in items:
        if not isinstance(key, str):
            raise TypeError("Go has no type for a dict with the key %r, which is no str" % (key,))
        flat += [{"str": key}, spell_data(value)]
    return {"dict": flat}


def is_time(kind):
    datetime = sys.modules.get("datetime")
    return datetime is not None and kind in (datetime.datetime, datetime.date, datetime.time)


def is_numpy(value):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray))


def from_numpy(value):
    """Return the Python value of a scalar, or the nested lists of an array."""
    numpy, kind, dtype = sys.modules["numpy"], type(value), value.dtype
    if isinstance(value, numpy.ndarray) and kind not in (numpy.ndarray, numpy.memmap, numpy.recarray):
        raise TypeError("Go has no type for %s: make it a plain array" % kind.__name__)
    if dtype.names is not None:
        if value.ndim > 0:
            return list(value)
        return {name: value[name] for name in dtype.names}
    # Other types lose something on the way: a unit, an imaginary part, precision.
    if dtype.kind not in "biufSUO" or (dtype.kind == "f" and dtype.itemsize > 8):
        raise TypeError("Go has no type for numpy's %s" % dtype)
    return value.tolist()


def unchanged(value):
    return value


SPELLED = {
    int: ("int", int.__repr__),
    float: ("float", lambda value: struct.pack(">d", value).hex()),
    bool: ("bool", unchanged),
    type(None): ("none", unchanged),
    str: ("str", unchanged),
    bytes: ("bytes", bytes.hex),
}
PARSED = {
    "int": int,
    "float": lambda text: struct.unpack(">d", bytes.fromhex(text))[0],
    "bool": unchanged,
    "none": unchanged,
    "str": unchanged,
    "bytes": bytes.fromhex,
}

# How spell_data converts other types of the standard library.
TO_DATA = {
    range: list,
    ShareableList: list,
    array.array: array.array.tolist,
    memoryview: lambda view: bytes(view) if view.format == "B" and view.ndim == 1 else view.tolist(),
    bytearray: bytes,
}
HINTS = {set: ", which has no order: sort it", frozenset: ", which has no order: sort it"}


# ---- requests ----


def bind(variable, memory):
    """Keep a list or block in a variable and return the segment's name."""
    variables[variable] = memory
    return block(memory).name


def block(memory):
    """Return the SharedMemory of a list, or a block itself."""
    return memory.shm if isinstance(memory, ShareableList) else memory


def write(shm, offset, data):
    shm.buf[offset : offset + len(data)] = data


def evaluate(text, name):
    # eval() overlooks this space, compile() does not.
    return eval(compile(text.lstrip(" \t"), name, "eval", dont_inherit=True), variables)


def execute_source(text, name):
    exec(compile(text, name, "exec", dont_inherit=True), variables)


OPERATIONS = {
    "create_list": lambda var, name, values: bind(var, ShareableList(values, name=name)),
    "attach_list": lambda var, name: bind(var, ShareableList(name=name)),
    "create_block": lambda var, name, size: bind(var, SharedMemory(name, True, size)),
    "attach_block": lambda var, name: bind(var, SharedMemory(name)),
    "eval": evaluate,
    "eval_data": evaluate,
    "exec": execute_source,
    "start_worker": lambda method: start_worker(method),
    # on a list
    "get": operator.getitem,
    "set": operator.setitem,
    "len": len,
    "index": lambda sl, value: sl.index(value),
    "count": lambda sl, value: sl.count(value),
    "repr": repr,
    "format": lambda sl: sl.format,
    "values": list,
    # on a block
    "size": lambda shm: shm.size,
    "read": lambda shm, offset, n: bytes(shm.buf[offset : offset + n]),
    "write": write,
    # on either
    "name": lambda memory: block(memory).name,
    "bytes": lambda memory: bytes(block(memory).buf),
    "close": lambda memory: block(memory).close(),
    "unlink": lambda memory: block(memory).unlink(),
}


# Operations on source text, which gets a file name.
SOURCES = ("eval", "eval_data", "exec")


def execute(request, at):
    try:
        op = request["op"]
        arguments = [parse(argument) for argument in request["args"]]
        if "on" in request:
            arguments.insert(0, variables[request["on"]])
        keywords = {"name": "<%s%s>" % (op, at)} if op in SOURCES else {}
        encode = spell_data if op == "eval_data" else spell
        return {"value": encode(OPERATIONS[op](*arguments, **keywords))}
    except Exception as error:
        return {"error": describe(error)}


def describe(error):
    kind = type(error)
    prefix = "" if kind.__module__ == "builtins" else "%s." % kind.__module__
    try:
        file, line = find_place(error)
    except Exception:  # a property of the error has failed
        file, line = "", 0
    return {
        "Type": prefix + kind.__qualname__,
        "Message": printable(str, error),
        "Traceback": printable(format_exc),
        "File": printable(str, file),
        "Line": line,
    }


def format_exc():
    import traceback

    return traceback.format_exc()


def find_place(error):
    """Return file and line of the caller's own code in which an error arose."""
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and isinstance(error.lineno, int):
        if is_callers(error.filename):
            return error.filename, error.lineno
    place = "", 0
    traceback = error.__traceback__
    while traceback is not None:
        file, line = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        if is_callers(file) and line:
            place = file, line
        traceback = traceback.tb_next
    return place


LIBRARY = os.path.dirname(os.__file__) + os.sep


def is_callers(file):
    """Report whether a file is neither this one nor a library's.

    Frozen modules, code generated by a library, and this file have names in angle
    brackets. So have the sources of Eval and Exec, which are the caller's.
    """
    if file.startswith("<"):
        return file.startswith(("<eval", "<exec"))
    parts = file.split(os.sep)
    return not (
        file.startswith(LIBRARY)
        or "site-packages" in parts
        or "dist-packages" in parts
        or parts[-1] == "sitecustomize.py"
    )


def printable(get, *arguments):
    """Return a text about an exception in UTF-8. The exception's own code may fail."""
    try:
        return get(*arguments).encode("utf-8", "backslashreplace").decode()
    except Exception:
        return "<unprintable>"


# ---- processes ----


class Pipes:
    """The pipes from and to Go, in the form of a multiprocessing Connection."""

    def __init__(self):
        requests, replies = (3, 4) if os.name == "posix" else map(descriptor, sys.argv[-2:])
        self.requests = open(requests, "rb")
        self.replies = open(replies, "wb")
        register_after_fork(self, Pipes.close)

    def recv_bytes(self):
        line = self.requests.readline()
        if not line:
            raise EOFError
        return line

    def send_bytes(self, message):
        self.replies.write(message + b"\n")
        self.replies.flush()

    def close(self):
        self.requests.close()
        self.replies.close()


def descriptor(handle):
    """Return a descriptor of an inherited pipe: Windows passes on handles only."""
    import msvcrt

    return msvcrt.open_osfhandle(int(handle), os.O_BINARY)


class Worker:
    """A child process that executes requests, too.

    A worker ends when the parent's end of the pipe is closed, which happens in any
    case when the parent ends. So no fork may inherit the parent's end.
    """

    def __init__(self, method):
        context = multiprocessing.get_context(method)
        self.connection, theirs = context.Pipe()
        register_after_fork(self.connection, lambda connection: connection.close())
        namespace = {"__name__": "worker", "code": code, "connection": theirs}
        start = "import marshal; exec(marshal.loads(code))"
        self.process = context.Process(target=exec, args=(start, namespace))
        self.process.start()
        theirs.close()

    def forward(self, message):
        try:
            self.connection.send_bytes(message)
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            self.process.join()
            return to_json({"exited": self.process.exitcode})


def start_worker(method):
    workers.append(Worker(method))
    return [len(workers), workers[-1].process.pid]


def leave(how):
    """End this process; returning from here ends it normally."""
    if how == "sys.exit(3)":
        sys.exit(3)
    if how == "exception":
        raise RuntimeError("uncaught, as asked")
    if how == "os._exit(0)":
        os._exit(0)
    if how == "kill group":
        os.killpg(0, signal.SIGKILL)
    if how.startswith("SIG"):
        import resource

        # No core file for SIGABRT. Background jobs ignore SIGINT by default.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), getattr(signal, how))
        signal.pause()


def to_json(message):
    return json.dumps(message).encode()


def answer(message):
    """Return the answer to a message, which must not be one to end this process."""
    if message.get("to"):
        worker = workers[message["to"].pop(0) - 1]
        return worker.forward(to_json(message))
    at, requests = " at " + message["at"], message["requests"]
    if len(requests) == 1:
        return to_json({"replies": [execute(requests[0], at)]})
    return to_json({"replies": [execute(r, "%s, requests[%d]" % (at, i)) for i, r in enumerate(requests)]})


def serve(connection):
    """Answer messages until one of them ends this process or the pipe is closed."""
    try:
        while True:
            try:
                message = json.loads(connection.recv_bytes())
            except EOFError:
                return
            if "exit" in message and not message.get("to"):
                return leave(message["exit"])
            connection.send_bytes(answer(message))
    finally:
        # Ends the workers: in most of the ways to end, the interpreter waits for them.
        for worker in workers:
            worker.connection.close()
        connection.close()


serve(connection if __name__ == "worker" else Pipes())
