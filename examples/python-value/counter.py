import multiprocessing
import subprocess

from pyshm_attach import parts

context = multiprocessing.get_context("spawn")
counter, start = context.Value("q", 0), context.Barrier(2)
peer = subprocess.Popen(["go", "run", "./examples/python-value", parts(counter), parts(start)])
start.wait()
for _ in range(1000):
    with counter.get_lock():
        counter.value += 1
if peer.wait() != 0:
    raise SystemExit("the Go side has failed")
print("Python: the count is", counter.value)
