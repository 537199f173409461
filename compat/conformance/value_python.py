"""What Python does in the tests of values, arrays and barriers."""

import ctypes
import multiprocessing
import threading
from multiprocessing import sharedctypes

import pyshm_attach


class Inner(ctypes.Structure):
    _fields_ = [("a", ctypes.c_uint8), ("b", ctypes.c_int64)]


class Point(ctypes.Structure):
    _fields_ = [
        ("x", ctypes.c_double),
        ("n", ctypes.c_int16),
        ("name", ctypes.c_char * 5),
        ("tail", ctypes.c_int32 * 2),
        ("ok", ctypes.c_bool),
        ("inner", Inner),
    ]


class Moved(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("n", ctypes.c_int16), ("x", ctypes.c_double)]


class Bits(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int16, 3)]


class Empty(ctypes.Structure):
    _fields_ = []


def child(method, target, *args):
    """Start a child process by one of the start methods."""
    process = multiprocessing.get_context(method).Process(target=target, args=args, daemon=True)
    process.start()
    return process


def end(process):
    process.join()
    if process.exitcode:
        raise RuntimeError("exit code %d" % process.exitcode)


def count(value, additions):
    for _ in range(additions):
        with value.get_lock():
            value.value += 1


def count_item(array, i, additions):
    for _ in range(additions):
        with array:
            array[i] += 1


def wait(barrier, timeout=None):
    """Return the index, or the name of the exception."""
    try:
        return barrier.wait(timeout)
    except threading.BrokenBarrierError as error:
        return type(error).__name__


def run_rounds(barrier, board, slot, rounds):
    """Wait so many times, and never find another party in another round."""
    firsts = 0
    for n in range(1, rounds + 1):
        board[slot] = n
        firsts += barrier.wait() == 0
        others = list(board)
        if not all(n <= other <= n + 1 for other in others):
            raise RuntimeError("round %d, and others are in %r" % (n, others))
    return firsts


def run_rounds_in_threads(barrier, board, slots, rounds):
    firsts, failed = [], []

    def run(slot):
        try:
            firsts.append(run_rounds(barrier, board, slot, rounds))
        except BaseException as error:
            failed.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(slot,)) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return sum(firsts)


def attach_board(name):
    return pyshm_attach.attach_value(name, lock=False)


def kind_of(value):
    return type(value).__module__ + "." + type(value).__name__


def is_raw(value):
    return not isinstance(value, sharedctypes.SynchronizedBase)
