import logging
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
def nothing():
    pass


@serve
def same(value):
    return value


@serve
def touch(array):
    array[0] += 1


@serve
def negate(array):
    array[1] = -array[1]
    return array


@serve
async def later(seconds, value):
    import asyncio

    await asyncio.sleep(seconds)
    return value


@serve
def nap(seconds):
    time.sleep(seconds)
    return os.getpid()


@serve
def dawdle(seconds, value):
    time.sleep(seconds)
    return value


@serve
def pid():
    return os.getpid()


@serve
def say(text):
    print(text)
    print(text, file=sys.stderr)
    logging.getLogger("shop").warning("%s sold", text)


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


@serve
def forge(number, kind, length):
    import pyshm_attach

    worker = pyshm_attach._Worker.current
    worker.words[9], worker.words[10], worker.words[11] = number or worker.number, kind, length
    worker.done.release()
    time.sleep(1000)


@serve
def watching():
    import pyshm_attach

    worker = pyshm_attach._Worker.current
    return worker.words[2], worker.watcher.misses, worker.watcher.skip


@serve
def resting(processor):
    import pyshm_attach

    os.sched_setaffinity(0, {processor})
    return pyshm_attach._Worker.current.watcher.pause > 0


@serve
def moving(processor):
    import pyshm_attach

    os.sched_setaffinity(0, {processor})
    watcher = pyshm_attach._Worker.current.watcher
    return watcher.patience > watcher.PATIENCE[0]


@serve
def truncate():
    for fd in os.listdir("/proc/self/map_files"):
        target = os.readlink("/proc/self/map_files/" + fd)
        if target.startswith("/dev/shm/") and "sem." not in target:
            os.truncate("/proc/self/map_files/" + fd, 0)
    time.sleep(0.01)


serve(max, "largest")
serve()
