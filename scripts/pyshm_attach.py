# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Attach to shared memory of another program, and leave it to its owner.

Python's SharedMemory and ShareableList register every name to which they attach with
multiprocessing's resource tracker, which removes the name when the process ends
(SharedMemory until 3.12, and from 3.13 unless track=False; ShareableList in all
versions). The functions below attach without registering:

    from pyshm_attach import attach_block, attach_list

    items = attach_list("prices")       # a ShareableList
    items[0] = 42
    items.shm.close()

    block = attach_block("frames")      # a SharedMemory
    block.buf[:5] = b"hello"
    block.close()

close() ends this process's view. unlink() removes the name on purpose. It raises
FileNotFoundError if the name has passed to another segment meanwhile. A failed attach
removes nothing either. The module patches nothing, so threads and other users of
shared memory in the process are not affected. The returned objects can be sent to
worker processes of any start method, and attach there in the same way. Like an attach
of multiprocessing itself, an attach starts the resource tracker: processes forked
later share it.

A numpy array over a block must be made by

    samples = numpy.frombuffer(block.buf, "d")

Such an array holds the block's buffer: close() raises BufferError while the array
exists. An array made by numpy.ndarray(..., buffer=block.buf) does not hold it, and
touching that array after the block is closed or collected kills Python.

A process that attaches to a lock does not register it, so locks need no such care. But
multiprocessing has no function that attaches to a lock by name. This module has:

    lock = attach_lock("prices.lock")   # a multiprocessing Lock
    with lock:
        items[0] += 1

and likewise attach_rlock, attach_semaphore, attach_condition, attach_event,
attach_queue and attach_barrier. Numbers and structures that pyshm's CreateValue has made
become what multiprocessing.Value returns:

    counter = attach_value("counter")
    with counter.get_lock():
        counter.value += 1

The other way round, parts(lock) returns the names of a lock that Python has made, for
other processes to attach to. parts(value) returns where a Value, an Array or a Barrier
lies, which has no name, and parts(queue) where a queue's pipe is.

Arrays and rings of frames are .npy files, and need numpy:

    picture = create_array("picture", (480, 640, 3), "u1")  # of zeros; attach_array opens it
    picture[:, :, 0] = 255

    camera = attach_ring("camera")      # a Ring, of pyshm's CreateRing or create_ring
    n = camera.publish(picture)
    n, newest = camera.newest()

They keep their memory for as long as they, or views of them, live, and no resource
tracker hears of them. numpy.load("/dev/shm/NAME", mmap_mode="r+") opens either without
this module.

A worker, which a pool of Go's package worker has started, serves its functions:

    @serve
    def blur(image, radius): ...        # async def works, too

    serve()                             # serves calls until the pool ends

Names may be written with or without a leading slash. The module needs Python 3.8 or
later, and only its standard library. Under pyshm run and WorkerEnv every process can
import it. For other programs, pip installs it, or this file is copied beside them.
"""

from __future__ import annotations

import ast
import errno
import functools
import importlib
import io
import itertools
import json
import math
import mmap
import operator
import os
import pickle
import secrets
import stat
import struct
import sys
import threading
import time
import types
from multiprocessing import resource_tracker, shared_memory, util
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

try:
    from multiprocessing import synchronize
except ImportError:  # a platform without semaphores
    synchronize = None  # type: ignore[assignment]

if sys.platform != "win32":
    import _posixshmem  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from multiprocessing import connection, queues

    _ListBase = shared_memory.ShareableList[Any]
else:  # 3.8 cannot subscript the class
    _ListBase = shared_memory.ShareableList

__all__ = [
    "attach_array",
    "attach_barrier",
    "attach_block",
    "attach_condition",
    "attach_event",
    "attach_list",
    "attach_lock",
    "attach_queue",
    "attach_ring",
    "attach_rlock",
    "attach_semaphore",
    "attach_value",
    "create_array",
    "create_ring",
    "parts",
    "serve",
]

__version__ = "0.1.0.dev0"

_SEM_MAX = 2**31 - 1  # of glibc's semaphores
_PYTHON_3_8 = sys.version_info < (3, 9)
_T = TypeVar("_T")
_synchronize: Any = synchronize  # typeshed leaves some constants out


def attach_block(name: str) -> shared_memory.SharedMemory:
    """Attach to the segment called name, and return a multiprocessing SharedMemory.

    FileNotFoundError if there is no such segment. ValueError if the segment is empty
    (its maker has not yet given it a size), or if name is not a valid name.
    """
    return SharedMemory(name)


def attach_list(name: str) -> shared_memory.ShareableList[Any]:
    """Attach to the list called name, and return a multiprocessing ShareableList.

    FileNotFoundError if there is no such segment. ValueError if the segment holds no
    list, an unfinished list, or a list in the layout of other versions of Python
    (Python 3.8 and the versions from 3.9 on cannot read each other's lists, and would
    destroy them by writing).
    """
    return ShareableList(name=name)


def attach_lock(name: str) -> synchronize.Lock:
    """Attach to the lock called name, and return a multiprocessing Lock.

    FileNotFoundError if there is no such lock. ValueError if the file with the name is
    not a semaphore that this Python could use.
    """
    return _semaphore(synchronize.Lock, _synchronize.SEMAPHORE, 1, name)


def attach_rlock(name: str) -> synchronize.RLock:
    """Attach to the lock called name, and return a multiprocessing RLock.

    Only this Python knows the recursion: to other processes an RLock is the same as a
    Lock. Two RLocks attached to one name in one process do not know of each other.
    """
    return _semaphore(synchronize.RLock, _synchronize.RECURSIVE_MUTEX, 1, name)


def attach_semaphore(name: str, bound: int | None = None) -> synchronize.Semaphore:
    """Attach to the semaphore called name, and return a multiprocessing Semaphore.

    With a bound, which release() must not exceed, it returns a BoundedSemaphore.
    """
    if bound is None:
        return _semaphore(synchronize.Semaphore, _synchronize.SEMAPHORE, _synchronize.SEM_VALUE_MAX, name)
    if bound < 1:
        raise ValueError("the bound is %d, but it must be at least 1" % bound)
    return _semaphore(synchronize.BoundedSemaphore, _synchronize.SEMAPHORE, bound, name)


def attach_condition(name: str) -> synchronize.Condition:
    """Attach to the condition called name, and return a multiprocessing Condition.

    The condition has an RLock, as Python's own conditions have. It consists of the
    semaphores NAME.lock, NAME.sleeping, NAME.woken and NAME.wait. PermissionError if they
    do not all belong to one user, as for each object of several files.
    """
    _one_owner(name, *_condition_files(name))
    return _condition(attach_rlock, name)


def attach_event(name: str) -> synchronize.Event:
    """Attach to the event called name, and return a multiprocessing Event.

    The event consists of a condition with the same name and the semaphore NAME.flag.
    """
    _one_owner(name, *_condition_files(name), _semaphore_file(_bare(name) + ".flag"))
    event: Any = synchronize.Event.__new__(synchronize.Event)
    event._cond = _condition(attach_lock, name)
    event._flag = attach_semaphore(_bare(name) + ".flag")
    return cast(synchronize.Event, event)


def attach_queue(name: str, maxsize: int = 0) -> queues.Queue[Any]:
    """Attach to the queue called name, and return a multiprocessing Queue.

    It is a JoinableQueue if pyshm's CreateQueue has made it Joinable. maxsize is the one
    that CreateQueue got: another is a ValueError where the number of free places reveals
    it. The queue consists of the FIFO NAME.pipe and the semaphores NAME.rlock, NAME.wlock
    and NAME.sem.

    FileNotFoundError if there is no such queue.
    """
    return cast("queues.Queue[Any]", _attach_queue(_bare(name), maxsize))


def attach_barrier(name: str, timeout: float | None = None) -> synchronize.Barrier:
    """Attach to the barrier called name, and return a multiprocessing Barrier.

    The barrier consists of a condition with the same name and an array that pyshm's
    CreateBarrier has made. timeout is for calls of wait() without one. The barrier has no
    action: if the last party is in Go, no Python would run it.
    """
    _one_owner(name, _bare(name), *_condition_files(name))
    file = _NpyFile(name)
    try:
        file.check([("state", "=i4"), ("count", "=i4"), ("parties", "=i4")], "barrier")
        wrapper = file.wrapper(8)
    except BaseException:
        file.close()
        raise
    (parties,) = struct.unpack_from("=i", wrapper._state[0][0].buffer, file.offset + 8)
    if parties < 1:
        raise ValueError("%r is no barrier: it has %d parties" % (name, parties))
    return _unpickle(synchronize.Barrier, (parties, None, timeout, _condition(attach_rlock, name), wrapper))


def attach_value(name: str, kind: Any = None, lock: bool = True) -> Any:
    """Attach to the value called name, and return what multiprocessing.Value returns.

    The value is an array that pyshm's CreateValue has made, with the lock NAME.lock. For
    an array of one axis, the result is what multiprocessing.Array returns. Without lock
    it is a ctypes object, as RawValue and RawArray return it, and NAME.lock is not needed.

    kind is a ctypes type or a type code of multiprocessing.Value. A structure needs it;
    for numbers, and for bytes and str of fixed length, the array itself has the type.
    ValueError if the array has elements of another type.

    The memory is there as long as the object. FileNotFoundError if the value or its lock
    does not exist, and ValueError if the memory holds no array.
    """
    from multiprocessing import sharedctypes

    if lock:
        _one_owner(name, _bare(name), _semaphore_file(_bare(name) + ".lock"))
    file = _NpyFile(name)
    try:
        element, length = file.ctype(kind)
        wrapper = file.wrapper(file.size)
    except BaseException:
        file.close()
        raise
    rebuild: Any = sharedctypes.rebuild_ctype  # type: ignore[attr-defined]
    made = rebuild(element, wrapper, length)
    return sharedctypes.synchronized(made, cast(Any, attach_rlock(_bare(name) + ".lock"))) if lock else made


def parts(made: object) -> str:
    """Return where an object of multiprocessing is, as JSON.

    {"lock": NAME}                                         of a Lock or an RLock
    {"semaphore": NAME, "bound": N}                        of a Semaphore; N is 2147483647
                                                           unless it is a BoundedSemaphore
    {"lock": .., "sleeping": .., "woken": .., "wait": ..}  of a Condition
    the same and "flag"                                    of an Event
    {"pid": .., "reader": .., "writer": .., "pipe": ..,    of a SimpleQueue: this process, the
     "rlock": NAME, "wlock": NAME, "maxsize": 0}           descriptors and inode of the pipe
    the same, "sem": NAME and "maxsize": N                 of a Queue; N is 0 without a bound
    the same, "unfinished": NAME and "cond": {..}          of a JoinableQueue
    {"pid": .., "fd": .., "device": .., "inode": ..,       of memory: a RawValue or RawArray,
     "offset": .., "size": .., "dtype": .., "shape": ..}   and a ctypes structure in one
    the same and "lock"                                    of a Value or an Array
    "pid" to "size", "parties", and the parts of           of a Barrier
    its Condition

    Memory is a file without a name, which this process has open as fd; the bytes of the
    object begin at offset. dtype is the element in numpy's words: c_char is |u1, and
    c_wchar is <i4. The object has to live while other processes attach and use it,
    because Python gives its memory to other objects afterwards.

    ValueError if a lock has no name: in the context fork, multiprocessing removes
    the name at once, and on Windows there are no names. In other contexts the object
    has a name for as long as it lives: multiprocessing.get_context("spawn").Lock().
    The memory of a Value without a named lock is parts(value.get_obj()).
    """
    return json.dumps(_parts(made))


def attach_array(name: str, readonly: bool = False) -> Any:
    """Attach to the array called name: a numpy.ndarray.

    The array is a .npy file in shared memory, as pyshm.CreateArray and create_array make
    it. It keeps its memory, and so do its views. Pickled, it attaches by name where it is
    unpickled; a view or a slice is pickled as its elements. Its method unlink() removes
    the name.

    FileNotFoundError if there is none, PermissionError if this user may not write it
    and readonly is not given, and ValueError if the memory holds no array, or one that
    is still being made or was cut short.
    """
    return _attach_array(name, readonly)


def create_array(name: str, shape: int | tuple[int, ...], dtype: Any) -> Any:
    """Make an array of zeros called name, in C order, and attach to it.

    The name appears when the array is complete. Only this user may open it. It stays
    until unlink() removes it, also when Python ends. FileExistsError if the name is in
    use, and OSError if there is no memory for it.
    """
    numpy = _numpy()
    element = numpy.dtype(dtype)
    _check_element(name, element)
    axes = tuple(operator.index(n) for n in shape) if isinstance(shape, (tuple, list)) else (operator.index(shape),)
    if element.subdtype is not None:
        element, more = element.subdtype
        axes += more
    if any(n < 0 for n in axes) or len(axes) > 32 or math.prod(n for n in axes if n) * element.itemsize > sys.maxsize:
        raise ValueError("no array of every numpy has the shape %r" % (axes,))
    header = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(
        header, {"descr": numpy.lib.format.dtype_to_descr(element), "fortran_order": False, "shape": axes}
    )
    _create(name, header.getvalue(), math.prod(axes) * element.itemsize)
    return _attach_array(name, False)


def attach_ring(name: str, readonly: bool = False) -> Ring:
    """Attach to the ring called name.

    ValueError if the memory holds no ring, and the errors of attach_array.
    """
    return Ring(name, readonly)


def create_ring(name: str, slots: int, shape: int | tuple[int, ...], dtype: Any) -> Ring:
    """Make an empty ring called name, with slots for so many frames, and attach to it.

    A frame has the shape and the dtype. 3 or 4 slots are enough in practice. The errors
    are the same as in create_array.
    """
    numpy = _numpy()
    if not 2 <= operator.index(slots) <= 65536:
        raise ValueError("a ring has 2 to 65536 slots, not %d" % slots)
    record = numpy.dtype([("begin", "=u8"), ("end", "=u8"), ("frame", dtype, shape)], align=True)
    if record["frame"].itemsize == 0:
        raise ValueError("a frame of shape %r has no elements" % (shape,))
    size = record.itemsize + -record.itemsize % 8
    if size > record.itemsize:  # the C compiler of 386 aligns to 4
        fields = {"names": record.names, "formats": [record[part] for part in record.names]}
        record = numpy.dtype({**fields, "offsets": [0, 8, 16], "itemsize": size})
    create_array(name, (slots,), record)
    return Ring(name)


def serve(
    function: Any = None,
    name: str | None = None,
    *,
    connect: Any = None,
    listen: Any = None,
    authkey: bytes | None = None,
) -> Any:
    """Serve functions to a process in Go, whose package worker calls them.

    serve(function), also as a decorator, lets Go call a function or an async function by
    its name, or by the given one, and returns the function.

    serve() without a function serves calls, one after the other, to the pool that has
    started this process, and returns when the pool closes the connection. RuntimeError
    if no pool has started this process.

    serve(connect=ADDRESS) does the same for a pool in Go that accepts workers there, and
    serve(listen=ADDRESS) for one pool after the other that dials to this process, without
    an end. Addresses and authkey are the same as in multiprocessing.connection.

    What a function raises goes to the caller in Go, and the worker goes on. SystemExit and
    KeyboardInterrupt end the worker.
    """
    if function is not None:
        _served[name or function.__name__] = function
        return function
    connections = importlib.import_module("multiprocessing.connection")
    if listen is not None:
        with connections.Listener(listen, authkey=authkey) as listener:
            while True:
                try:
                    connection = listener.accept()
                except (EOFError, OSError, connections.AuthenticationError):
                    continue  # a client that went away, or has another authkey
                with connection:
                    _serve(connection)
    if connect is not None:
        _serve(connections.Client(connect, authkey=authkey))
        return None
    number = os.environ.pop("PYSHM_WORKER", None)  # not for children
    if number is None:
        raise RuntimeError("PYSHM_WORKER is not set: no pool of workers has started this process")
    os.set_inheritable(int(number), False)
    _serve(connections.Connection(int(number)))
    return None


def _serve(connection: Any) -> None:
    _Worker.current = _Worker(connection)
    _Worker.current.run()


def _parts(made: Any) -> dict[str, Any]:
    if isinstance(made, _synchronize.Event):
        return dict(_parts(made._cond), flag=_name(made._flag))
    if isinstance(made, _synchronize.Condition):
        return {
            "lock": _name(made._lock),
            "sleeping": _name(made._sleeping_count),
            "woken": _name(made._woken_count),
            "wait": _name(made._wait_semaphore),
        }
    if isinstance(made, _synchronize.Semaphore):
        return {"semaphore": _name(made), "bound": made._semlock.maxvalue}
    if isinstance(made, (_synchronize.Lock, _synchronize.RLock)):
        return {"lock": _name(made)}
    if isinstance(made, _synchronize.Barrier):
        return _barrier_parts(made)
    if hasattr(made, "_rlock") and hasattr(made, "_writer"):  # without an import of queues
        return _queue_parts(made)
    if hasattr(made, "get_obj"):  # without an import of ctypes for locks alone
        return dict(_ctypes_parts(made.get_obj()), lock=_name(made.get_lock()))
    if hasattr(made, "_wrapper"):
        return _ctypes_parts(made)
    raise TypeError("%s has no parts in shared memory" % type(made).__name__)


def _barrier_parts(barrier: Any) -> dict[str, Any]:
    if barrier._action is not None:
        raise ValueError("the barrier has an action, which would not run if the last party is not in Python")
    return dict(_memory_parts(barrier._wrapper), parties=barrier.parties, **_parts(barrier._cond))


def _ctypes_parts(made: Any) -> dict[str, Any]:
    descr, shape = _descr(type(made))
    return dict(_memory_parts(made._wrapper), dtype=str(descr), shape=shape)


def _memory_parts(wrapper: Any) -> dict[str, Any]:
    (arena, start, _), size = wrapper._state
    if not hasattr(arena, "fd"):
        raise NotImplementedError("multiprocessing's memory is not in files on this system")
    found = os.fstat(arena.fd)
    return {
        "pid": os.getpid(),
        "fd": arena.fd,
        "device": found.st_dev,
        "inode": found.st_ino,
        "offset": start,
        "size": size,
    }


_KINDS = dict(zip("cbBhHiIlLqQfd?u", "uiuiuiuiuiuffbi"))  # numpy's, of ctypes' codes
_NATIVE = "<" if sys.byteorder == "little" else ">"


def _descr(kind: Any) -> tuple[Any, tuple[int, ...]]:
    """Return the dtype.descr and the shape that a ctypes type has in numpy."""
    import ctypes

    size = ctypes.sizeof(kind)
    if size == 0:
        raise TypeError("%s has no bytes" % kind.__name__)
    if issubclass(kind, ctypes.Array):
        descr, shape = _descr(kind._type_)
        return descr, (kind._length_, *shape)
    if issubclass(kind, ctypes.Structure):
        return _record_descr(kind, size), ()
    code = getattr(kind, "_type_", None)
    if not isinstance(code, str) or code not in _KINDS:
        raise TypeError("%s means nothing to other programs" % kind.__name__)
    swapped = getattr(kind, "__ctype_be__" if _NATIVE == "<" else "__ctype_le__", None) is kind
    order = "|" if size == 1 else "<>"[(_NATIVE == ">") != swapped]
    return "%s%s%d" % (order, _KINDS[code], size), ()


def _record_descr(kind: Any, size: int) -> list[tuple[Any, ...]]:
    fields: list[tuple[Any, ...]] = []
    end = 0
    for name, field, *bits in (f for base in reversed(kind.__mro__) for f in vars(base).get("_fields_", ())):
        offset = getattr(kind, name).offset
        if bits:
            raise TypeError("%s.%s is a bit field" % (kind.__name__, name))
        if offset > end:
            fields.append(("", "|V%d" % (offset - end)))
        descr, shape = _descr(field)
        fields.append((name, descr, shape) if shape else (name, descr))
        end = offset + getattr(kind, name).size
    if size > end:
        fields.append(("", "|V%d" % (size - end)))
    return fields


def _plain_descr(descr: Any, shape: tuple[int, ...] = ()) -> tuple[Any, tuple[int, ...]]:
    """Return a dtype.descr and a shape as _descr returns them for the same bytes."""
    if not isinstance(descr, str):
        fields = []
        for name, element, *axes in descr:
            plain, axes = _plain_descr(element, *axes)
            fields.append((name, plain, axes) if axes else (name, plain))
        return fields, shape
    code = descr.replace("=", _NATIVE)
    if code[1:2] in ("S", "U"):
        return ("|u1" if code[1] == "S" else code[0] + "i4"), (*shape, int(code[2:]))
    if code[1:2] in ("M", "m"):
        return code[0] + "i8", shape
    return code, shape


def _ctype_of(descr: Any) -> Any:
    """Return the ctypes type of a number, or of bytes or str of fixed length."""
    import ctypes

    kinds: dict[str, Any] = {"b1": ctypes.c_bool, "f4": ctypes.c_float, "f8": ctypes.c_double}
    for bits in (8, 16, 32, 64):
        kinds["i%d" % (bits // 8)] = getattr(ctypes, "c_int%d" % bits)
        kinds["u%d" % (bits // 8)] = getattr(ctypes, "c_uint%d" % bits)
    if isinstance(descr, str) and descr[1:2] in ("S", "U") and descr[0] in ("|", _NATIVE):
        try:
            return (ctypes.c_char if descr[1] == "S" else ctypes.c_wchar) * int(descr[2:])
        except OverflowError:  # more than the addresses of this machine
            raise ValueError("the elements are %s, which are too large" % descr) from None
    code = _plain_descr(descr)[0] if isinstance(descr, str) else ""
    kind = kinds.get(code[1:])
    if kind is None:
        raise ValueError("the elements are %s: give their ctypes type" % (descr,))
    if code[0] in ("|", _NATIVE):
        return kind
    return kind.__ctype_be__ if code[0] == ">" else kind.__ctype_le__


class _NpyFile:
    """A .npy file in shared memory that is open, for ctypes and without numpy."""

    def __init__(self, name: str) -> None:
        self.name = _bare(name)
        self.fd, found = _open(self.name, False)
        self.total = found.st_size
        try:
            self._read(os.pread(self.fd, 10012, 0))
        except BaseException as error:
            self.close()
            if isinstance(error, Exception):  # of many types
                raise ValueError("%r holds no array, or one that is still being made: %s" % (name, error)) from error
            raise

    def _read(self, head: bytes) -> None:
        if head[:7] not in (b"\x93NUMPY\x01", b"\x93NUMPY\x02"):
            raise ValueError("it has no .npy header")
        begin = 10 if head[6] == 1 else 12
        (length,) = struct.unpack_from("<H" if begin == 10 else "<I", head, 8)
        self.offset = begin + length
        if self.offset > len(head):
            raise ValueError("its header is cut short, or too long")
        text = head[begin : self.offset].decode("latin-1")
        depths = itertools.accumulate((c in "([{") - (c in ")]}") for c in text)
        if max(depths) > 40:  # old parsers print that their stack overflows
            raise ValueError("its header has too many brackets")
        header = ast.literal_eval(text)
        self.descr, self.shape = header["descr"], header["shape"]
        self.plain = _plain_descr(self.descr)
        if not all(type(n) is int and n >= 0 for n in self.shape):
            raise ValueError("its shape is %r" % (self.shape,))

    def close(self) -> None:
        os.close(self.fd)

    def check(self, descr: Any, what: str) -> None:
        """Raise ValueError unless the file has one element of this dtype."""
        if self.shape != () or self.plain != _plain_descr(descr):
            raise ValueError("%r is no %s: it has shape %r and dtype %s" % (self.name, what, self.shape, self.descr))

    def ctype(self, kind: Any) -> tuple[Any, int | None]:
        """Return the ctypes type of an element, and how many an array has."""
        import ctypes
        from multiprocessing import sharedctypes

        if len(self.shape) > 1:
            raise ValueError("%r has %d axes, and ctypes arrays have one" % (self.name, len(self.shape)))
        codes: Any = sharedctypes.typecode_to_type  # type: ignore[attr-defined]
        element = _ctype_of(self.descr) if kind is None else codes.get(kind, kind)
        self.size = ctypes.sizeof(element) * math.prod(self.shape)
        wanted = _descr(element)
        if wanted != self.plain:
            raise ValueError("%r has elements of dtype %s, not %s" % (self.name, self.descr, wanted[0]))
        if self.size == 0:
            raise ValueError("%r has no elements" % self.name)
        if issubclass(element, ctypes.Array):
            if self.shape:
                raise ValueError("the elements of %r are arrays, of which ctypes shares one" % self.name)
            return element._type_, element._length_
        return element, self.shape[0] if self.shape else None

    def wrapper(self, size: int) -> Any:
        """Return multiprocessing's handle to the first bytes of the data."""
        from multiprocessing import heap

        if self.offset + size > self.total:
            raise ValueError("%r is still being made, or was cut short" % self.name)
        arena = heap.Arena(self.total, self.fd)  # type: ignore[call-arg,unused-ignore]
        util.Finalize(arena, os.close, (self.fd,))
        wrapper: Any = heap.BufferWrapper.__new__(heap.BufferWrapper)
        wrapper._state = (arena, self.offset, self.offset + size), size
        return wrapper


def _queue_parts(made: Any) -> dict[str, Any]:
    reader, writer = made._reader.fileno(), made._writer.fileno()
    found = {"pid": os.getpid(), "reader": reader, "writer": writer, "pipe": os.fstat(reader).st_ino}
    found.update(rlock=_name(made._rlock), wlock=_name(made._wlock), maxsize=0)
    if hasattr(made, "_sem"):
        unbounded = made._maxsize == _synchronize.SEM_VALUE_MAX
        found.update(sem=_name(made._sem), maxsize=0 if unbounded else made._maxsize)
    if hasattr(made, "_unfinished_tasks"):
        found.update(unfinished=_name(made._unfinished_tasks), cond=_parts(made._cond))
    return found


def _attach_queue(name: str, maxsize: int) -> Any:
    from multiprocessing import queues

    if not 0 <= operator.index(maxsize) <= _SEM_MAX // 2:
        raise ValueError("the maxsize is %d, but it must be between 0 and %d" % (maxsize, _SEM_MAX // 2))
    bound = maxsize or _SEM_MAX
    files = [name + ".pipe", *(_semaphore_file(name + part) for part in (".rlock", ".wlock", ".sem"))]
    # Another user can add the names that make a queue joinable.
    unfinished = _semaphore_file(name + ".unfinished")
    joinable = _owner(unfinished) is not None and _owner(unfinished) == _owner(files[0])
    _one_owner(name, *files, *(_condition_files(name + ".cond") if joinable else ()))
    ends = _open_fifo(name)
    locks = attach_lock(name + ".rlock"), attach_lock(name + ".wlock")
    sem = attach_semaphore(name + ".sem", bound)
    free = sem.get_value()
    if free > bound or (free > _SEM_MAX // 2) != (maxsize == 0):
        raise ValueError("the queue %r has another maxsize than %d: %d places are free" % (name, maxsize, free))
    state: tuple[Any, ...] = (False, bound, *ends, *locks, sem, os.getpid())
    kind: Any = queues.Queue
    if joinable:
        state += _condition(attach_rlock, name + ".cond"), attach_semaphore(name + ".unfinished")
        kind = queues.JoinableQueue
    made = _unpickle(kind, state)
    # As after making a queue: a forked child has no thread that writes.
    util.register_after_fork(cast(Any, made), cast(Any, queues.Queue)._after_fork)
    return made


def _open_fifo(name: str) -> tuple[connection.Connection, connection.Connection]:
    """Open both ends of a queue's FIFO: as connections, which close them at their end."""
    from multiprocessing import connection

    path = "/dev/shm/" + name + ".pipe"
    if not stat.S_ISFIFO(os.lstat(path).st_mode):
        raise ValueError("%r is not a queue" % name)
    # With O_RDWR neither waits for the other end.
    fds = [os.open(path, os.O_RDWR | os.O_NOFOLLOW) for _ in range(2)]
    return connection.Connection(fds[0], writable=False), connection.Connection(fds[1], readable=False)


def _name(semaphore: Any) -> str:
    name: str | None = semaphore._semlock.name
    if name is None:
        raise ValueError(
            "%r has no name: those of the context fork and those on Windows have none; "
            "elsewhere, multiprocessing.get_context('spawn') makes one that has" % semaphore
        )
    return name[1:]


def _condition(attach: Callable[[str], object], name: str) -> synchronize.Condition:
    name = _bare(name)
    lock = attach(name + ".lock")
    counts = (attach_semaphore(name + part) for part in (".sleeping", ".woken", ".wait"))
    return _unpickle(synchronize.Condition, (lock, *counts))


def _semaphore(kind_class: type[_T], kind: int, maximum: int, name: str) -> _T:
    if sys.platform == "win32":
        raise NotImplementedError("multiprocessing's semaphores have no names on Windows")
    name = _bare(name)
    _check_semaphore(name)
    try:
        semaphore = _unpickle(kind_class, (0, kind, maximum, "/" + name))
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from None
    # As after making a semaphore: a forked child does not hold its parent's locks.
    util.register_after_fork(cast(Any, semaphore), lambda semaphore: semaphore._semlock._after_fork())
    return semaphore


def _semaphore_file(name: str) -> str:
    return ("sem." if _has_glibc() else "") + name


def _condition_files(name: str) -> list[str]:
    name = _bare(name)
    return [_semaphore_file(name + part) for part in (".lock", ".sleeping", ".woken", ".wait")]


def _owner(file: str) -> int | None:
    """Return the owner of a file in /dev/shm, or None if there is no such file."""
    try:
        return os.lstat("/dev/shm/" + file).st_uid
    except OSError:
        return None


def _one_owner(name: str, *files: str) -> None:
    """Raise PermissionError unless the files of one object belong to one user.

    In a sticky /dev/shm every user can add names, and take those that are gone.
    """
    if len({_owner(file) for file in files} - {None}) > 1:
        raise PermissionError(errno.EPERM, "its files belong to several users", name)


def _unpickle(kind_class: type[_T], state: tuple[object, ...]) -> _T:
    """Make an object of multiprocessing.synchronize in the way of unpickling."""
    made: Any = kind_class.__new__(kind_class)
    made.__setstate__(state)
    return cast(_T, made)


def _check_semaphore(name: str) -> None:
    """Raise ValueError unless the file is a semaphore of this Python's libc.

    Python would crash with an empty file, and sleep for ever with an unshared
    semaphore. musl would take any segment for a semaphore and write to it. Other
    systems and libraries have to check for themselves.

    glibc  /dev/shm/sem.NAME  value | waiters | 128 if shared     32-bit: value | 128 | ...
    musl   /dev/shm/NAME      value | waiters | 0 if shared
    """
    size = 32 if sys.maxsize > 2**32 else 16
    prefix, offset, shared = ("sem.", size // 4, 128) if _has_glibc() else ("", 8, 0)
    try:
        fd = os.open("/dev/shm/" + prefix + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        data = os.read(fd, 64) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)
    if len(data) == 48 - size:  # 16 and 32
        theirs, own = ("32-bit", "64-bit") if size == 32 else ("64-bit", "32-bit")
        raise ValueError("%r is a semaphore of a %s program, and this Python is %s" % (name, theirs, own))
    if len(data) != size or struct.unpack_from("i", data, offset) != (shared,):
        raise ValueError("%r is not a semaphore that this Python can use" % name)


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):  # Windows has no confstr
        return False


class SharedMemory(shared_memory.SharedMemory):
    """SharedMemory attached to a name without telling the resource tracker."""

    _name: str
    _fd: int
    _mmap: mmap.mmap
    _buf: memoryview
    _size: int
    _pyshm_identity: tuple[int, int]

    def __init__(self, name: str, create: bool = False, size: int = 0) -> None:  # as pickle calls it
        if create:
            raise ValueError("pyshm_attach only attaches")
        name = _bare(name)
        if sys.version_info >= (3, 13):
            # If mmap fails, the constructor unlinks a segment that it did not make.
            vars(self)["unlink"] = lambda: None
            try:
                super().__init__(name, track=False)
            finally:
                vars(self).pop("unlink", None)
        elif sys.platform == "win32":  # no tracker there
            super().__init__(name)
        else:
            self._attach(name)
        if sys.platform != "win32":
            stats = os.fstat(self._fd)
            self._pyshm_identity = stats.st_dev, stats.st_ino
            # As a registration would, so that processes forked later share the tracker.
            # Otherwise each starts a tracker of its own. That tracker removes the
            # process's own segments when the process ends, although others use them.
            resource_tracker.ensure_running()

    def _attach(self, name: str) -> None:
        """Do what the constructor of 3.8 to 3.12 does, without registering."""
        self._name = "/" + name
        self._fd = _posixshmem.shm_open(self._name, os.O_RDWR, mode=0o600)
        try:
            self._size = os.fstat(self._fd).st_size
            self._mmap = mmap.mmap(self._fd, self._size)
        except BaseException:
            self.close()
            raise
        self._buf = memoryview(self._mmap)

    def unlink(self) -> None:
        """Remove the name. The memory stays until the last process closes it.

        FileNotFoundError if the name is gone or leads to another segment by now. (In
        the microseconds between this check and the removal the name can still pass to
        another segment.)
        """
        if sys.platform == "win32":
            return
        _unlink(self._name, self._pyshm_identity)


def _unlink(name: str, identity: tuple[int, int]) -> None:
    """Remove the name, if it still leads to the segment with that identity."""
    if _identity(name) not in (identity, None):
        reason = os.strerror(errno.ENOENT) + " (the name has passed to another segment)"
        raise FileNotFoundError(errno.ENOENT, reason, name)
    _posixshmem.shm_unlink(name)
    # If this process and the one that made the segment belong to one family,
    # their tracker holds the name and must forget it. It complains about a
    # name that it does not hold, hence the first line.
    if _is_trackable(name):
        resource_tracker.register(name, "shared_memory")
        resource_tracker.unregister(name, "shared_memory")


def _identity(name: str) -> tuple[int, int] | None:
    """Return the device and inode of the segment that has the name, or None."""
    try:
        if sys.platform == "linux":  # works without the right to open the segment
            found = os.stat("/dev/shm/" + name.lstrip("/"), follow_symlinks=False)
        else:
            fd = _posixshmem.shm_open(name, os.O_RDONLY, mode=0)
            try:
                found = os.fstat(fd)
            finally:
                os.close(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_trackable(name: str) -> bool:
    """Report whether a tracker can hold the name, with its leading slash.

    A tracker until 3.13 reads lines of ASCII, in fields between colons. A tracker of
    3.14 takes colons in the name, and JSON for a name with a newline. A tracker of
    3.15 takes JSON for every name, of up to 255 bytes.
    """
    if sys.version_info >= (3, 14) and ("\n" in name or sys.version_info >= (3, 15)):
        return len(name.encode("utf-8", "surrogateescape")) <= 255
    return name.isascii() and "\n" not in name and (":" not in name or sys.version_info >= (3, 14))


def _list_block(name: str) -> SharedMemory:
    block = SharedMemory(name)
    try:
        _check_list(block)
    except BaseException:
        block.close()
        raise
    return block


# ShareableList's constructor makes its own SharedMemory and takes no other. This is
# the same constructor, but in it the name SharedMemory stands for _list_block.
_init: Any = shared_memory.ShareableList.__init__
_init_list = types.FunctionType(
    _init.__code__,
    dict(vars(shared_memory), SharedMemory=_list_block),
    argdefs=_init.__defaults__,
    closure=_init.__closure__,
)
_init_list.__kwdefaults__ = _init.__kwdefaults__


class ShareableList(_ListBase):
    """ShareableList attached to a name without telling the resource tracker."""

    def __init__(self, *, name: str) -> None:
        _init_list(self, name=_bare(name))  # the name None would make a new list


def _check_list(block: SharedMemory) -> None:
    """Raise ValueError unless block holds a list in the layout of this Python.

    3.8     count | size of slot 0       | ... | size of slot n-1 | slots ...
    3.9 on  count | offset of slot 0 = 0 | ... | offset of slot n | slots ...

    Each is an int64. The slots end at the last offset. A slot has at least 8 bytes, so
    the word after the count distinguishes the layouts.
    """
    count = _int64s(block, 0, 1)[0] if block.size >= 8 else -1
    # An item takes 8 bytes in the table, a slot, 8 for its format and 1 for its code.
    if not 0 <= count <= block.size // 25:
        raise _no_list(block)
    if count == 0:
        _check_empty_list(block)
        return
    (first,) = _int64s(block, 8, 1)
    if first != 0 and first < 8:
        raise _no_list(block)
    if _PYTHON_3_8 and first == 0:
        raise _other_layout(block, "3.9 and later")
    if not _PYTHON_3_8 and first >= 8:
        raise _other_layout(block, "3.8")
    if _PYTHON_3_8:
        header, sizes = 8 + 8 * count, _int64s(block, 8, count)
    else:
        header, offsets = 16 + 8 * count, _int64s(block, 8, count + 1)
        sizes = tuple(end - start for start, end in zip(offsets, offsets[1:]))
    formats = header + sum(sizes)
    if any(size < 8 or size % 8 for size in sizes) or formats + 9 * count > block.size:
        raise _no_list(block)
    _check_formats(block, formats, count)


def _check_formats(block: SharedMemory, formats: int, count: int) -> None:
    """Raise ValueError if none of the first formats and codes is written.

    They are not yet written in an unfinished list. Setting an item, too, clears its
    format, but only for a moment.
    """
    codes, first = formats + 8 * count, min(count, 64)
    for _ in range(50):
        if any(_int64s(block, formats, first)) or any(block._buf[codes + i] for i in range(first)):
            return
        time.sleep(0.0001)
    raise _no_list(block)


def _check_empty_list(block: SharedMemory) -> None:
    if block.size == 8 and not _PYTHON_3_8:
        raise _other_layout(block, "3.8")
    # The count is 0 until it is written. Other systems round sizes up to whole pages.
    if block.size not in (8, 16) and (block.size < 16 or sys.platform == "linux"):
        raise _no_list(block)


def _no_list(block: SharedMemory) -> ValueError:
    return ValueError("%r holds no list, or one that is still being made" % block.name)


def _other_layout(block: SharedMemory, versions: str) -> ValueError:
    return ValueError(
        "%r holds a list in the layout of Python %s; this is Python %d.%d, which would destroy it"
        % (block.name, versions, *sys.version_info[:2])
    )


def _int64s(block: SharedMemory, offset: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from("%dq" % count, block._buf, offset)


def _numpy() -> Any:
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        raise ImportError(
            "arrays and rings need numpy, which %s cannot import: %s" % (sys.executable, error)
        ) from error


@functools.lru_cache(maxsize=None)  # to look for numpy in vain takes long
def _numpy_or_none() -> Any:
    try:
        return _numpy()
    except ImportError:
        return None


@functools.lru_cache(maxsize=None)
def _array_class() -> Any:
    """Return a numpy.ndarray that is pickled by its name, if it has one."""
    numpy = _numpy()
    base: Any = numpy.ndarray

    class SharedArray(base):  # type: ignore[misc]
        """A numpy.ndarray in shared memory, or a view of one."""

        _pyshm: tuple[str, tuple[int, int], bool] | None = None  # name, identity, readonly; None in views

        @property
        def name(self) -> str:
            """The name that the array was attached by; of views, the empty string."""
            return "" if self._pyshm is None else self._pyshm[0]

        def unlink(self) -> None:
            """Remove the name. The memory is there until the last process ends its use.

            FileNotFoundError if the name is gone or leads to another segment by now.
            """
            if self._pyshm is None:
                raise ValueError("a view has no name: unlink the array")
            _unlink("/" + self._pyshm[0], self._pyshm[1])

        def __reduce__(self) -> Any:
            return self.__reduce_ex__(2)

        def __reduce_ex__(self, protocol: Any) -> Any:
            if self._pyshm is None:
                return numpy.asarray(self).__reduce_ex__(protocol)
            return attach_array, (self._pyshm[0], self._pyshm[2])

        def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
            """Return results that are not in shared memory as numpy returns them."""
            if array is self:
                return array
            array = numpy.asarray(array)
            return array[()] if array.shape == () else array

    return SharedArray


def _attach_array(name: str, readonly: bool) -> Any:
    numpy = _numpy()
    name = _bare(name)
    memory, identity = _map(name, readonly)
    header = io.BytesIO(memory[:10012])  # no numpy writes longer ones into version 1, nor reads them by default
    try:
        version = numpy.lib.format.read_magic(header)
        reader = {(1, 0): "read_array_header_1_0", (2, 0): "read_array_header_2_0"}[version]
        shape, fortran, dtype = getattr(numpy.lib.format, reader)(header)
    except Exception as error:  # of many types
        raise ValueError("%r holds no array, or one that is still being made: %s" % (name, error)) from error
    _check_element(name, dtype)
    if dtype.subdtype is not None:
        raise ValueError("the elements of %r are sub-arrays" % name)
    begin, size = header.tell(), math.prod(shape) * dtype.itemsize
    if size > len(memory) - begin:
        raise ValueError(
            "%r is still being made, or was cut short: it has %d bytes of %d" % (name, len(memory), begin + size)
        )
    # An array of numpy.asarray holds the memoryview, and that the mapping. One of
    # numpy.ndarray(buffer=...) does not, nor one of numpy.frombuffer before numpy 1.23.
    array = numpy.asarray(memoryview(memory))[begin : begin + size].view(dtype)
    array = array.reshape(shape, order="F" if fortran else "C").view(_array_class())
    array._pyshm = name, identity, readonly
    return array


def _check_element(name: str, dtype: Any) -> None:
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError("%r: elements of the dtype %s cannot be shared" % (name, dtype))


def _map(name: str, readonly: bool) -> tuple[mmap.mmap, tuple[int, int]]:
    """Map the segment, and return its device and inode as well."""
    access = mmap.ACCESS_READ if readonly else mmap.ACCESS_WRITE
    if sys.platform == "win32":
        segment = shared_memory.SharedMemory(name)  # fails if there is none: mmap would make one
        try:
            # As long as it is mapped, the name leads to no other segment.
            return mmap.mmap(-1, segment.size, tagname=name, access=access), (0, 0)
        finally:
            segment.close()
    fd, found = _open(name, readonly)
    try:
        return mmap.mmap(fd, found.st_size, access=access), (found.st_dev, found.st_ino)
    finally:
        os.close(fd)


def _open(name: str, readonly: bool) -> tuple[int, os.stat_result]:
    """Open the segment, and return its descriptor and what fstat returns."""
    if sys.platform == "win32":
        raise NotImplementedError("arrays have no names on Windows")
    fd = _posixshmem.shm_open("/" + name, os.O_RDONLY if readonly else os.O_RDWR, mode=0)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
        os.close(fd)
        raise ValueError("%r is no shared memory, or its maker has not yet given it a size" % name)
    return fd, found


def _create(name: str, header: bytes, size: int) -> None:
    """Make a segment of the header and zeros, which gets its name when it is complete."""
    if sys.platform != "linux":
        raise NotImplementedError("arrays are created on Linux only")
    name = _bare(name)
    hidden = "/dev/shm/.pyshm-new-" + secrets.token_hex(16)
    fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(fd, 0, len(header) + size)  # a full /dev/shm is an error here, not a SIGBUS later
        if os.fstat(fd).st_size != len(header) + size:  # PyPy's fails without an exception
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        os.write(fd, header)
        os.link(hidden, "/dev/shm/" + name)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
    finally:
        os.unlink(hidden)
        os.close(fd)


class Ring:
    """A ring of frames: one writer publishes them, and readers get the newest one.

    There is no lock. Frames are numbered from 1. Frame n is in slot n modulo the number of
    slots, array is the slots as numpy has them, and pyshm's Ring documents the protocol.
    A Ring keeps its memory, and is pickled by its name, without its semaphores.
    """

    def __init__(self, name: str, readonly: bool = False) -> None:
        numpy = _numpy()
        self.array: Any = attach_array(name, readonly)
        self._check()
        self._begin, self._end, self._frame = (numpy.asarray(self.array[field]) for field in self.array.dtype.names)
        self._signals: tuple[Any, ...] = ()
        self._waits: Any = None
        self._reduced = name, readonly

    def _check(self) -> None:
        dtype, shape = self.array.dtype, self.array.shape
        if dtype.names != ("begin", "end", "frame") or len(shape) != 1 or not 2 <= shape[0] <= 65536:
            raise ValueError("%r is no ring: it has shape %r and dtype %s" % (self.name, shape, dtype))
        word = _numpy().dtype("=u8")
        offsets = [dtype.fields[field][1] for field in ("begin", "end")]
        if dtype["begin"] != word or dtype["end"] != word or any(n % 8 for n in [*offsets, dtype.itemsize]):
            raise ValueError("%r is no ring: its numbers are not uint64 at multiples of 8" % self.name)

    @property
    def name(self) -> str:
        """The name of the ring."""
        return cast(str, self.array.name)

    def unlink(self) -> None:
        """Remove the name of the ring, in the same way as the name of an array."""
        self.array.unlink()

    def __reduce__(self) -> Any:
        return attach_ring, self._reduced

    def __repr__(self) -> str:
        frame = self.array.dtype["frame"]
        return "Ring(%r, slots=%d, shape=%r, dtype=%r)" % (
            self.name,
            len(self.array),
            frame.shape,
            str(frame.base),
        )

    def publish(self, frame: Any) -> int:
        """Copy an array of a frame's shape into the ring, and return its number.

        A ring has one writer at a time. ValueError if the array does not fit or the ring
        is read-only; readers never see that frame.
        """
        n = self._newest()[0] + 1
        slot = n % len(self._end)
        self._begin[slot] = n
        _order()
        self._frame[slot] = frame
        _order()
        self._end[slot] = n
        for semaphore in self._signals:
            _signal(semaphore)
        return n

    def newest(self, out: Any = None) -> tuple[int, Any]:
        """Return the number of the newest frame, and a copy of it, or out with the frame in it.

        LookupError if there is no frame yet. RuntimeError if the writer has overwritten the
        frame each of the many times it was copied.
        """
        n, copied = self._copy_newer(0, out)
        if n == 0:
            raise LookupError("no frame has been published in %r yet" % self.name)
        return n, copied

    def next(self, n: int, timeout: float | None = None, out: Any = None) -> tuple[int, Any]:
        """Wait for a frame with a number above n, and return the newest one, as newest() does.

        TimeoutError if none comes within so many seconds. Without a semaphore of wait_on()
        it looks for one at intervals of up to a millisecond.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.00005
        while True:
            newer, copied = self._copy_newer(n, out)
            if newer:
                return newer, copied
            left = 0.05 if end is None else min(0.05, end - time.monotonic())
            if left <= 0:
                raise TimeoutError("no frame after %d came in %r" % (n, self.name))
            if self._waits is None:
                time.sleep(min(pause, left))
                pause = min(2 * pause, 0.001)
            elif self._waits.acquire(True, left):
                _drain(self._waits)

    def signal_to(self, *semaphores: Any) -> None:
        """Have publish() release the semaphores that have no token: one for each reader that waits."""
        self._signals = semaphores

    def wait_on(self, semaphore: Any) -> None:
        """Have next() sleep on the semaphore, which the writer releases after each frame."""
        self._waits = semaphore

    def _newest(self) -> tuple[int, int]:
        """Return the number of the newest frame, or 0, and its slot."""
        slot = int(self._end.argmax())
        n = int(self._end[slot])
        if n and (n >= 2**63 - 1 or n % len(self._end) != slot):
            raise ValueError("%r is no ring: frame %d is in slot %d" % (self.name, n, slot))
        return n, slot

    def _copy_newer(self, after: int, out: Any) -> tuple[int, Any]:
        """Return the newest frame if its number is above after, else 0."""
        for _ in range(64):
            n, slot = self._newest()
            if n <= after:
                return 0, out
            if self._begin[slot] != n:
                continue
            _order()
            copied = out
            if out is None:
                copied = _numpy().array(self._frame[slot])
            else:
                out[...] = self._frame[slot]
            _order()
            if self._begin[slot] == n:
                return n, copied
        raise RuntimeError("the writer of %r overwrites frames faster than they can be copied" % self.name)


def _order() -> None:
    """Keep the loads and stores before it before those after it, on any processor.

    A lock that is acquired and released once lets its neighbours slip inside on arm64,
    where they could pass each other there. They cannot pass from one to the next.
    """
    lock = threading.Lock()
    with lock:
        pass
    with lock:
        pass


def _signal(semaphore: Any) -> None:
    try:
        if semaphore.get_value() == 0:
            semaphore.release()
    except ValueError:  # a bounded one that another process has just released
        pass


def _drain(semaphore: Any) -> None:
    """Take the tokens that are left, so that one frame wakes a reader once."""
    for _ in range(1000):
        if not semaphore.acquire(False):
            return


def _bare(name: str) -> str:
    """Return the name without a leading slash, if it can be a name."""
    if not isinstance(name, str):
        raise TypeError("a name is a str, not %s" % type(name).__name__)
    bare = name[1:] if name.startswith("/") else name
    if bare in ("", ".", "..") or "/" in bare or "\0" in bare:
        raise ValueError("%r cannot be the name of shared memory" % name)
    return bare


_served: dict[str, Any] = {}

# The words at the beginning of the messages that Go and a worker exchange in shared memory.
# Go's package worker documents them.
_MESSAGE = 128  # where the request is, and then the reply in its place
# Words before it, by number: of Go's call, and of the worker's reply
_NUMBER, _LENGTH, _SPIN, _TAKEN = range(4)
_BEGUN, _REPLIED, _KIND, _SIZE = range(8, 12)
_BY_CONNECTION, _RETURN, _RAISE, _BYTES = range(4)  # kinds of replies
_LONG = 4096  # bytes of this length are a reply of their own

_WAKE = b"\x80\x04\x8c\x04wake\x85."  # the pickle of ("wake",), as Go writes it
_BUSY = 0.05  # seconds for which a worker waits at its semaphore before it rests


class _Watcher:
    """Decides for which calls a worker stays awake. Go does the same for replies.

    To fall asleep and be woken takes longer. But watching in vain costs its whole time. So
    the next waits begin asleep, 1, then 3, 7 and so on to 63, and each success halves
    their number. If Go has not even run meanwhile, or a processor that was yielded comes
    back late, other processes need the processors: that counts more, and from the third
    time on all waits begin asleep for 50 ms, and for up to 1 s if it happens again and again.
    """

    PAUSE = 50_000_000  # all times are in ns
    CROWDED = 200_000  # how long a yielded processor stays away if other processes need it
    SHARED = 2_000  # and if Go makes a call there meanwhile
    PATIENCE = 4, 1024

    def __init__(self) -> None:
        self.misses = 0  # calls for which this worker stayed awake in vain, in a row as it were
        self.skip = 0  # waits that begin asleep
        self.pause = 0  # while all do, and when it ends
        self.until = 0
        self.shared = 0  # calls in a row that came from the same processor
        self.patience = self.PATIENCE[0]  # how many of these are too many
        self.alone = _processors() < 2  # Go cannot call while this worker is awake

    def watch(self, worker: _Worker) -> bool:
        """Stay awake for a moment to take the next call, and report whether it came."""
        if self.skip:
            self.skip -= 1
            return False
        limit = worker.words[_SPIN]
        if not limit or self.alone or (self.pause and time.monotonic_ns() < self.until):
            return False
        acquire, came, end, away, longest = worker.request.acquire, False, 0, 0, 0
        while True:
            for _ in range(16):
                if acquire(False):
                    came = True
                    break
            now = time.monotonic_ns()
            if end == 0:
                end = now + limit
                if not came and threading.active_count() > 1:  # they need the interpreter
                    return False
            if came or now > end:
                break
            os.sched_yield()
            away = time.monotonic_ns() - now
            longest = max(longest, away)
        if longest > self.CROWDED:
            self.missed(now, False)
        elif not came:
            self.missed(now, worker.words[_TAKEN] == worker.number)
        else:
            self.took(away)
        return came

    def took(self, away: int) -> None:
        """Note that a call came, and how long the processor stayed away just before.

        If the kernel has put Go and this worker on the same processor, each waits until the
        other yields it. The kernel wakes a sleeper on an idle one. So after some calls from
        the same processor the next wait begins asleep. It begins so more and more seldom if
        that does not part them.
        """
        self.misses -= self.misses > 0
        self.skip = (1 << self.misses) - 1
        least, most = self.PATIENCE
        if away < self.SHARED:
            self.shared = 0
            self.patience -= self.patience > least
            return
        self.shared += 1
        if self.shared >= self.patience:
            self.shared = 0
            self.patience = min(2 * self.patience, most)
            self.skip = max(self.skip, 1)

    def missed(self, now: int, runs: bool) -> None:
        """Note that the worker stayed awake in vain, and whether there are processors for both."""
        if not runs:
            if self.misses == 6:
                if now - self.until > 10 * self.pause:
                    self.pause = self.PAUSE // 2
                self.pause = min(2 * self.pause, 20 * self.PAUSE)
                self.until = now + self.pause
            self.misses = min(self.misses + 3, 6)
        elif self.misses < 6:
            self.misses += 1
        self.skip = (1 << self.misses) - 1


class _Worker:
    """One connection to a pool in Go, whose package worker documents the protocol."""

    current: Any = None  # the one that serves in this process

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.number = 0  # of the last call: Go counts them from 1
        self.taken = 0  # calls that came by the semaphore
        self.frames: list[bytes] = []  # calls that came while this worker waited to be woken
        self.loop: Any = None  # asyncio's, once a function is async
        self.memory: Any = None  # of the messages
        self.view: Any = None
        self.words: Any = None
        self.pickler: Any = None
        self.watcher = _Watcher()
        self.request: Any = None  # the semaphores
        self.done: Any = None
        self.segments: dict[int, _Segment] = {}  # for arrays
        self.behind = 0  # where what belongs to the request begins
        self.low = 0  # where the arrays of a reply begin, from the end of the messages on
        self.lent: dict[int, tuple[Any, Any]] = {}  # without numpy: views by id, and where they are
        self.own: dict[str, Callable[..., Any]] = {
            "pyshm.hello": self.hello,
            "pyshm.attach": self.attach,
            "pyshm.messages": self.attach_messages,
            "pyshm.segment": self.attach_segment,
            "pyshm.drop": self.drop,
        }

    def run(self) -> None:
        try:
            while True:
                if self.request is None:
                    self.serve_frame()
                elif self.watcher.watch(self) or self.request.acquire(True, _BUSY):
                    self.taken += 1
                    self.serve_request()
                else:
                    self.rest()
        except (EOFError, ConnectionError):
            pass  # the pool has ended, or wants another worker

    def hello(self, version: int) -> dict[str, Any]:
        return {"version": 1, "module": __name__}

    def attach(self, messages: str, request: str, done: str) -> None:
        semaphores = attach_semaphore(request), attach_semaphore(done)
        self.attach_messages(messages)
        self.request, self.done = semaphores

    def attach_messages(self, name: str) -> None:
        self.memory = _map(name, False)[0]
        self.view = memoryview(self.memory)
        self.words = self.view[:_MESSAGE].cast("Q")
        self.pickler = _Pickler(self.memory)

    def attach_segment(self, number: int, name: str) -> None:
        self.segments[number] = _Segment(number, _map(name, False)[0])

    def drop(self, number: int) -> None:
        del self.segments[number]

    def serve_frame(self) -> None:
        frame = self.connection.recv_bytes()
        self.number += 1
        try:
            _, _, function, args = pickle.loads(frame)
            reply = _dumps(("return", self.number, self.call(function, args)))
        except Exception as error:
            reply = _dumps(("raise", self.number, *_raised(error)))
        self.connection.send_bytes(reply)

    def serve_request(self) -> None:
        # A call of attach_messages replaces the memory.
        memory, view, words, pickler = self.memory, self.view, self.words, self.pickler
        number, length = words[_NUMBER], words[_LENGTH]
        if number == self.number:  # a token without a call
            raise EOFError
        self.number = words[_BEGUN] = number
        try:
            if length:
                self.behind = _aligned(_MESSAGE + length)
                function, args = pickle.loads(view[_MESSAGE : _MESSAGE + length])
            else:
                frame = self.frames.pop() if self.frames else self.connection.recv_bytes()
                _, _, function, args = pickle.loads(frame)
            kind, value = _RETURN, self.call(function, args)
        except Exception as error:
            kind, value = _RAISE, _raised(error)
        try:
            memory.seek(_MESSAGE)
            if type(value) is bytes and len(value) >= _LONG:
                kind, size = _BYTES, memory.write(value)
            else:
                self.low = len(memory)
                pickler.clear_memo()
                pickler.dump(value)
                size = memory.tell() - _MESSAGE
                if _MESSAGE + size > self.low:
                    raise ValueError("the reply does not fit")
        except Exception:  # it is too large, or cannot be pickled
            self.send(kind, value)
            kind, size = _BY_CONNECTION, 0
        if self.lent:
            self.lent.clear()
        words[_REPLIED], words[_KIND], words[_SIZE] = number, kind, size
        self.done.release()

    def send(self, kind: int, value: Any) -> None:
        """Send a reply by the connection."""
        try:
            if kind == _RETURN:
                reply = _dumps(("return", self.number, value))
            else:
                reply = _dumps(("raise", self.number, *value))
        except Exception as error:
            reply = _dumps(("raise", self.number, *_raised(error)))
        self.connection.send_bytes(reply)

    def rest(self) -> None:
        """Sleep until Go wakes this worker, or closes the connection."""
        self.connection.send(("idle", self.taken))
        frame = self.connection.recv_bytes()
        while frame != _WAKE:
            self.frames.append(frame)
            frame = self.connection.recv_bytes()

    def call(self, function: str, args: tuple[Any, ...]) -> Any:
        called = _served.get(function) or self.own.get(function)
        if called is None:
            raise LookupError("no function %r is served here, but: %s" % (function, ", ".join(sorted(_served))))
        result = called(*args)
        return self.wait(result) if hasattr(result, "__await__") else result

    def wait(self, awaitable: Any) -> Any:
        """Run asyncio's loop until the result of an async function is there."""

        async def run() -> Any:
            return await awaitable

        if self.loop is None:
            self.loop = importlib.import_module("asyncio").new_event_loop()
        return self.loop.run_until_complete(run())

    def array(self, number: int, offset: int, shape: tuple[int, ...], dtype: str, strides: Any) -> Any:
        """Return an array in the arena."""
        array = _array(self.segments[number].memory, offset, shape, dtype, strides)
        if type(array) is memoryview:
            self.lent[id(array)] = array, (number, offset, shape, dtype)
        return array

    def place(self, array: Any) -> Any:
        """Return where an array of numpy is in the arena, and copy one from elsewhere."""
        numpy = _numpy()
        address = array.__array_interface__["data"][0]
        if array.flags.c_contiguous:
            for segment in self.segments.values():
                offset = address - segment.address(numpy)
                if 0 <= offset <= len(segment.memory) - array.nbytes:
                    return _in_arena, (segment.number, offset, array.shape, _dtype_text(array.dtype))
        self.low = (self.low - array.nbytes) & ~63
        if self.low < self.memory.tell():
            raise ValueError("the array does not fit")
        numpy.ndarray(array.shape, array.dtype, self.memory, self.low)[...] = array
        return _in_arena, (0, self.low, array.shape, _dtype_text(array.dtype))


def _processors() -> int:
    """Return how many processors this process may use all the time."""
    affinity = getattr(os, "sched_getaffinity", None)  # some PyPys have none
    seen = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as limit:  # of a container
            quota, period = map(int, limit.read().split())
        return min(seen, quota // period)
    except (OSError, ValueError):  # there is none
        return seen


class _Segment:
    """A piece of a worker's arena."""

    def __init__(self, number: int, memory: mmap.mmap) -> None:
        self.number = number
        self.memory = memory
        self.base = 0

    def address(self, numpy: Any) -> int:
        if self.base == 0:
            self.base = numpy.asarray(memoryview(self.memory)).__array_interface__["data"][0]
        return self.base


class _Frames(pickle.Pickler):
    """A pickler for what goes by the connection."""

    def reducer_override(self, value: Any) -> Any:
        numpy: Any = sys.modules.get("numpy")
        if type(value) is memoryview:
            return _plain, (value.tobytes(),)
        if numpy is None:
            return NotImplemented
        if isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
            return self.array(numpy, value)
        if isinstance(value, numpy.generic):
            item = value.item()
            return NotImplemented if isinstance(item, numpy.generic) else (_plain, (item,))
        return NotImplemented

    def array(self, numpy: Any, value: Any) -> Any:
        return _copied, (_dtype_text(value.dtype), value.shape, value.tobytes())


class _Pickler(_Frames):
    """A pickler for what goes through shared memory, where arrays have a place of their own."""

    def __init__(self, memory: mmap.mmap) -> None:
        super().__init__(cast(Any, memory), 4)

    def reducer_override(self, value: Any) -> Any:
        if type(value) is memoryview:
            lent = _Worker.current.lent.get(id(value))
            if lent is not None:
                return _in_arena, lent[1]
        return super().reducer_override(value)

    def array(self, numpy: Any, value: Any) -> Any:
        return _Worker.current.place(value)


def _dumps(value: Any) -> bytes:
    out = io.BytesIO()
    _Frames(out, 4).dump(value)
    return out.getvalue()


# These stand for values in the messages, and Go knows them by their names.
def _in_arena(number: int, offset: int, shape: tuple[int, ...], dtype: str, strides: Any = None) -> Any:
    return _Worker.current.array(number, offset, shape, dtype, strides)


def _copied(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    return _array(bytearray(data), 0, shape, dtype, None)


def _named(name: str, offset: int, shape: tuple[int, ...], dtype: str, strides: Any) -> Any:
    try:
        memory, _ = _map(_bare(name), False)
    except PermissionError:
        memory, _ = _map(_bare(name), True)
    return _array(memory, offset, shape, dtype, strides)


def _attached(distance: int, length: int) -> bytes:
    return bytes(_view_of(distance, length))


def _view_of(distance: int, length: int) -> memoryview:
    worker = _Worker.current
    begin = worker.behind + distance
    return cast(memoryview, worker.view[begin : begin + length])


def _plain(value: Any) -> Any:
    return value


@functools.lru_cache(maxsize=None)
def _dtype(text: str) -> Any:
    """Return numpy's dtype for a text: dtype.str, or the repr of a record's descr."""
    numpy = _numpy()
    if not text.startswith("["):
        return numpy.dtype(text)
    return numpy.lib.format.descr_to_dtype(importlib.import_module("ast").literal_eval(text))


def _dtype_text(dtype: Any) -> str:
    if dtype.names is None:
        return cast(str, dtype.str)
    return repr(_numpy().lib.format.dtype_to_descr(dtype))


def _aligned(offset: int) -> int:
    return (offset + 63) & ~63


_CODES = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f4": "f", "f8": "d"}


def _array(memory: Any, offset: int, shape: tuple[int, ...], dtype: str, strides: Any) -> Any:
    """Return an array of numpy, or a memoryview without numpy."""
    numpy = _numpy_or_none()
    if numpy is None:
        return _view(memory, offset, shape, dtype, strides)
    return numpy.ndarray(shape, _dtype(dtype), memory, offset, strides)


def _view(memory: Any, offset: int, shape: tuple[int, ...], dtype: str, strides: Any) -> memoryview:
    """Return a memoryview of an array: of its bytes if a memoryview has no such elements."""
    code = _CODES.get(dtype.lstrip("<=|")) if sys.byteorder == "little" else None
    size = int(dtype[2:]) if code else 0
    if strides is not None or code is None:
        raise ImportError("without numpy, there are only arrays of numbers without gaps, not %s" % dtype)
    view = memoryview(memory)[offset : offset + math.prod(shape) * size]
    if not shape or 0 in shape:
        return view.cast(cast(Any, code))
    return view.cast(cast(Any, code), cast(Any, shape))


def _raised(error: Exception) -> tuple[Any, ...]:
    """Return class, message, args and traceback of an exception, as they can be pickled."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__qualname__
    try:
        message = str(error)
    except Exception:
        message = "(its str fails)"
    args: Any = error.args
    try:
        pickle.dumps(args, 4)
    except Exception:
        args = tuple(map(object.__repr__, args))
    text = importlib.import_module("traceback").format_exception(kind, error, error.__traceback__)
    return name, message, args, "".join(text)
