import os
import pickle
import sys

import numpy as np
from pyshm_attach import attach_array

path = "/dev/shm/" + sys.argv[1]
a = np.load(path, mmap_mode="r+")  # of shape (3, 4)

views = [a[1], a[1:, ::2], a.T, a.reshape(4, 3), a.ravel(), a.view("i8"), np.asarray(a)]
assert all(np.shares_memory(a, view) for view in views)

copies = [a + 1, a[[0, 2]], a[a > 1], a.astype("f4"), a.flatten(), a.T.ravel(), np.array(a)]
assert not any(np.shares_memory(a, copy) for copy in copies)

a[0] = a[0] + 1  # changes shared memory
a += 1  # changes it, too
b = a + 1  # makes an array of this process alone
b[:] = 0

# Other modes of np.load.
constant = np.load(path, mmap_mode="r")  # refuses to be changed
assert not constant.flags.writeable
private = np.load(path, mmap_mode="c")  # what it changes is for this process alone
private[:] = 0
loaded = np.load(path)  # a copy of everything
loaded[:] = 0

# An array of np.load is pickled as its elements, an array of attach_array by its name.
assert not np.shares_memory(a, pickle.loads(pickle.dumps(a)))
shared = attach_array(sys.argv[1])
pickle.loads(pickle.dumps(shared))[1] += 1

# Without align=True numpy leaves no gaps, and Go's struct has some.
packed = np.dtype([("kind", "i1"), ("price", "f8")])
aligned = np.dtype([("kind", "i1"), ("price", "f8")], align=True)
assert (packed.itemsize, aligned.itemsize) == (9, 16)
np.save(sys.argv[2], np.zeros(1, packed))
np.save(sys.argv[3], np.zeros(1, aligned))

# With r+ a file that was cut short gets zeros at its end, with r it is an error.
cut = sys.argv[4]
np.save(cut, np.ones(100))
os.truncate(cut, os.path.getsize(cut) - 400)
try:
    np.load(cut, mmap_mode="r")
    raise SystemExit("r has opened it")
except ValueError:
    pass
assert np.load(cut, mmap_mode="r+").sum() == 50

# The mode w+ destroys the array that it should read.
try:
    np.load(cut, mmap_mode="w+")
except (TypeError, ValueError):
    pass
assert os.path.getsize(cut) < 800
