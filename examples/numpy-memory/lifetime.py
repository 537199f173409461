import sys
from multiprocessing.shared_memory import SharedMemory

import numpy as np


def mapped(name):
    samples = np.memmap("/dev/shm/" + name, "f8", "r+", shape=1000)
    return samples[-1]


def held(name):
    shm = SharedMemory(name=name)
    samples = np.frombuffer(shm.buf, "f8", 1000)
    try:
        shm.close()
    except BufferError:  # samples is alive
        last = samples[-1]
    del samples
    shm.close()
    return last


def crash(name):
    shm = SharedMemory(name=name)
    samples = np.ndarray(1000, "f8", buffer=shm.buf)
    shm.close()  # the memory is gone, without an error
    return samples[-1]  # segmentation fault


for way in mapped, held, crash:
    print(way.__name__, float(way(sys.argv[1])), flush=True)
