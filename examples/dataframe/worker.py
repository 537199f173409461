import sys

import numpy as np
import pandas as pd

prices = np.load("/dev/shm/" + sys.argv[1], mmap_mode="r+")
frame = pd.DataFrame(prices, columns=["bid", "ask"], copy=False)
print("Python: the highest ask is", frame["ask"].max())
frame.iloc[7, 0] += 0.125
