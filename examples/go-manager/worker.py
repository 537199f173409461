import ast
import sys
from multiprocessing.managers import SharedMemoryManager

address, authkey = ast.literal_eval(sys.argv[1]), sys.stdin.buffer.read()
manager = SharedMemoryManager(address=address, authkey=authkey)
manager.connect()
results = manager.ShareableList([0.5, "done", None])
print(results.shm.name, end="")
