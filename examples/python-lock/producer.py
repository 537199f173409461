import multiprocessing
import subprocess
from multiprocessing.shared_memory import ShareableList

from pyshm_attach import parts

sl = ShareableList([0])
lock = multiprocessing.get_context("spawn").Lock()
peer = subprocess.Popen(["go", "run", "./examples/python-lock", sl.shm.name, parts(lock)])
for _ in range(1000):
    with lock:
        sl[0] = sl[0] + 1
if peer.wait() != 0:
    raise SystemExit("the Go side has failed")
print("Python: the count is", sl[0])
sl.shm.close()
sl.shm.unlink()
