# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Attach to shared memory that another program made, and leave it its owner's.

Python's SharedMemory and ShareableList hand every name they attach to over to
multiprocessing's resource tracker, which removes the name when the process ends
(SharedMemory until 3.12, and from 3.13 unless track=False; ShareableList in all
versions). The functions below attach without that:

    from pyshm_attach import attach_block, attach_list

    items = attach_list("prices")       # a ShareableList
    items[0] = 42
    items.shm.close()

    block = attach_block("frames")      # a SharedMemory
    block.buf[:5] = b"hello"
    block.close()

close() gives up this process's view; unlink() removes the name, if that is what
you want. An attach that fails removes nothing either. Nothing is patched, so
threads and other users of shared memory in the process are not affected, and
what these functions return can be sent to worker processes of any start method,
where it attaches in the same way.

Names may be written with or without a leading slash. Python 3.8 or later, with
nothing but its standard library. Copy this file to wherever you need it.
"""
import mmap
import os
import struct
import sys
import types
from multiprocessing import resource_tracker, shared_memory

if os.name != "nt":
    import _posixshmem

__all__ = ["attach_block", "attach_list"]

_PYTHON_3_8 = sys.version_info < (3, 9)


def attach_block(name):
    """Attaches to the shared memory called name: a multiprocessing SharedMemory.

    FileNotFoundError if there is none, ValueError if it is empty (whoever makes
    it has not yet given it a size) or if name cannot be one.
    """
    return SharedMemory(name)


def attach_list(name):
    """Attaches to the list called name: a multiprocessing ShareableList.

    FileNotFoundError if there is none. ValueError if the memory holds no list, a
    list that is still being made, or one in the layout of the other versions of
    Python (3.8 and those from 3.9 on cannot read each other's lists, and would
    destroy them by writing).
    """
    return ShareableList(name=name)


class SharedMemory(shared_memory.SharedMemory):
    """SharedMemory attached to a name without telling the resource tracker."""

    def __init__(self, name, create=False, size=0):  # as pickle calls it
        if create:
            raise ValueError("pyshm_attach only attaches")
        name = _bare(name)
        if sys.version_info >= (3, 13):
            self._attach_untracked(name)
        elif os.name == "nt":  # where there is no tracker
            super().__init__(name)
        else:
            self._attach(name)

    def _attach_untracked(self, name):
        # Where mmap fails, the constructor unlinks what it did not make.
        self.unlink = lambda: None
        try:
            super().__init__(name, track=False)
        finally:
            vars(self).pop("unlink", None)

    def _attach(self, name):
        """What the constructor of 3.8 to 3.12 does, without registering."""
        self._name = "/" + name
        self._fd = _posixshmem.shm_open(self._name, os.O_RDWR, mode=0o600)
        try:
            self._size = os.fstat(self._fd).st_size
            self._mmap = mmap.mmap(self._fd, self._size)
        except BaseException:
            self.close()
            raise
        self._buf = memoryview(self._mmap)

    def unlink(self):
        """Removes the name. The memory is there until the last process closes it."""
        if os.name == "nt":
            return
        _posixshmem.shm_unlink(self._name)
        # If this process and the one that made the segment belong to one family,
        # their tracker holds the name and must forget it. It complains about a
        # name that it does not hold, hence the first line.
        resource_tracker.register(self._name, "shared_memory")
        resource_tracker.unregister(self._name, "shared_memory")


def _list_block(name):
    block = SharedMemory(name)
    try:
        _check_list(block)
    except BaseException:
        block.close()
        raise
    return block


# ShareableList's constructor makes its own SharedMemory and takes no other. This
# is that constructor, for which the name SharedMemory stands for _list_block.
_init = shared_memory.ShareableList.__init__
_init_list = types.FunctionType(
    _init.__code__,
    dict(vars(shared_memory), SharedMemory=_list_block),
    argdefs=_init.__defaults__,
    closure=_init.__closure__,
)
_init_list.__kwdefaults__ = _init.__kwdefaults__


class ShareableList(shared_memory.ShareableList):
    """ShareableList attached to a name without telling the resource tracker."""

    def __init__(self, *, name):
        _init_list(self, name=name)


def _check_list(block):
    """Raises ValueError unless block holds a list in the layout of this Python.

    3.8     count | size of slot 0       | ... | size of slot n-1 | slots ...
    3.9 on  count | offset of slot 0 = 0 | ... | offset of slot n | slots ...

    Each is an int64; the last offset is where the slots end. A slot has at least 8
    bytes: the word after the count tells the layouts apart.
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
        sizes = [end - start for start, end in zip(offsets, offsets[1:])]
    if any(size < 8 or size % 8 for size in sizes) or header + sum(sizes) + 9 * count > block.size:
        raise _no_list(block)


def _check_empty_list(block):
    if block.size == 8 and not _PYTHON_3_8:
        raise _other_layout(block, "3.8")
    # The count is 0 until it is written. Other systems round sizes up to whole pages.
    if block.size > 16 and sys.platform == "linux":
        raise _no_list(block)


def _no_list(block):
    return ValueError("%r holds no list, or one that is still being made" % block.name)


def _other_layout(block, versions):
    return ValueError(
        "%r holds a list in the layout of Python %s; this is Python %d.%d, which would destroy it"
        % ((block.name, versions) + sys.version_info[:2])
    )


def _int64s(block, offset, count):
    return struct.unpack_from("%dq" % count, block.buf, offset)


def _bare(name):
    """The name without a leading slash."""
    bare = name[1:] if name.startswith("/") else name
    if bare in ("", ".", "..") or "/" in bare or "\0" in bare:
        raise ValueError("%r cannot be the name of shared memory" % name)
    return bare
