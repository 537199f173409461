# What the tests of rings do in Python: with numpy alone, as the documentation shows it,
# and with pyshm_attach.

import os
import signal
import time

import numpy as np
import pyshm_attach


class Plain:
    """A ring with numpy alone."""

    def __init__(self, name):
        self.ring = np.load("/dev/shm/" + name, mmap_mode="r+")
        self.begin, self.end, self.frame = self.ring["begin"], self.ring["end"], self.ring["frame"]

    def publish(self, picture):
        n = int(self.end.max())
        n += 1
        i = n % len(self.ring)
        self.begin[i] = n
        self.frame[i] = picture
        self.end[i] = n
        return n

    def newest(self):
        while True:
            i = self.end.argmax()
            n = int(self.end[i])
            if self.begin[i] == n > 0:
                picture = self.frame[i].copy()
                if self.begin[i] == n:
                    return n, picture


def attach(api, name):
    return Plain(name) if api == "numpy" else pyshm_attach.attach_ring(name)


def create(api, name, slots, size):
    if api == "numpy":
        dtype = np.dtype([("begin", "<u8"), ("end", "<u8"), ("frame", "<u8", (size,))], align=True)
        np.save("/dev/shm/" + name + ".tmp.npy", np.zeros(slots, dtype))
        os.rename("/dev/shm/" + name + ".tmp.npy", "/dev/shm/" + name)
    else:
        pyshm_attach.create_ring(name, slots, size, "<u8")


def write(ring, count):
    """Publish frames whose words are all the frame's number."""
    picture = np.zeros(ring.frame.shape[1:] if isinstance(ring, Plain) else ring.array.dtype["frame"].shape, "<u8")
    n = 0
    for _ in range(count):
        picture += np.uint64(1) if n else np.uint64(int(latest(ring)) + 1)
        n = ring.publish(picture)
    return n


def latest(ring):
    return (ring.end if isinstance(ring, Plain) else ring.array["end"]).max()


def read(ring, count):
    """Read so many frames, and return how many were wrong, how many it had to give up, and the last one."""
    last = wrong = outrun = 0
    while count:
        try:
            n, picture = ring.newest()
        except (LookupError, RuntimeError):
            outrun += 1
            continue
        if n < last or not (picture == n).all():
            wrong += 1
        count -= n > last
        last = n
    return [wrong, outrun, last]


def kill(ring, seconds):
    """Kill a writer after so many seconds."""
    ready, begun = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(begun, b"x")
            write(ring, 10**9)
        finally:
            os._exit(1)
    os.read(ready, 1)
    os.close(ready)
    os.close(begun)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(pid, 0)[1])
