import os
import traceback
from multiprocessing.connection import Connection


def add(a, b):
    return a + b


pool = Connection(int(os.environ["PYSHM_WORKER"]))
try:
    while True:
        _, number, function, args = pool.recv()
        try:
            pool.send(("return", number, globals()[function](*args)))
        except Exception as e:
            pool.send(("raise", number, type(e).__name__, str(e), e.args, traceback.format_exc()))
except EOFError:
    pass
