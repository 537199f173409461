"""Make a semaphore, let Go acquire it, and report whether it is held then."""

import _multiprocessing
import sys

name = sys.argv[1]
lock = _multiprocessing.SemLock(1, 1, 1, name, False)
print("made", flush=True)
sys.stdin.readline()
print("free" if lock.acquire(False) else "held", flush=True)
_multiprocessing.sem_unlink(name)
