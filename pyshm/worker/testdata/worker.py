import asyncio
import os
import sys
import time

from pyshm_attach import serve


@serve
def add(a, b):
    return a + b


@serve
def echo(*args):
    return args


@serve
async def later(seconds, value):
    await asyncio.sleep(seconds)
    return value


@serve
def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


@serve
def pid():
    return os.getpid()


@serve
def say(text):
    print(text)
    print(text, file=sys.stderr)


class Odd(Exception):
    pass


@serve
def fail(message):
    raise Odd(message, 7, object())


@serve
def leave(status):
    print("I leave", file=sys.stderr)
    sys.exit(status)


@serve
def leave_at_once(status):
    os._exit(status)


@serve
def unpicklable():
    return lambda: 0


hoard = []


@serve
def grow(megabytes):
    hoard.append(b"x" * (megabytes << 20))


@serve
def ignore_sigterm():
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@serve
def leave_child():
    import subprocess

    child = subprocess.Popen(["sleep", "1000"])
    return child.pid


@serve
def junk(what):
    import gc
    from multiprocessing.connection import Connection

    pool = next(o for o in gc.get_objects() if isinstance(o, Connection))
    pool.send_bytes(what)
    time.sleep(1000)


serve(max, "largest")
serve()
