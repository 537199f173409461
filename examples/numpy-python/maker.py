import os
import sys

import numpy as np

tick = np.dtype([("t", "M8[ns]"), ("price", "f8"), ("qty", "i4")], align=True)
ticks = np.zeros(3, tick)
ticks[0] = ("2026-01-02T03:04:05", 101.5, 200)
path = "/dev/shm/" + sys.argv[1]
np.save(path + ".tmp.npy", ticks)
os.rename(path + ".tmp.npy", path)  # complete when its name appears
