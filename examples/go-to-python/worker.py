import sys
from multiprocessing.shared_memory import ShareableList

sl = ShareableList(name=sys.argv[1])
print("Python:", list(sl))
sl[1] += 1
sl.shm.close()
