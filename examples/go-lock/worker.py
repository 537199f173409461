import sys

from pyshm_attach import attach_list, attach_lock

sl, lock = attach_list(sys.argv[1]), attach_lock(sys.argv[2])
for _ in range(1000):
    with lock:
        sl[0] = sl[0] + 1
sl.shm.close()
