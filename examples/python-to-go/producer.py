import subprocess
from multiprocessing.shared_memory import ShareableList

sl = ShareableList([1, 2.5, "hello", b"\xff"])
subprocess.run(["go", "run", "./examples/python-to-go", sl.shm.name], check=True)
print("Python:", list(sl))
sl.shm.close()
sl.shm.unlink()
