import secrets
import subprocess
from multiprocessing.managers import SharedMemoryManager
from multiprocessing.shared_memory import SharedMemory

if __name__ == "__main__":
    authkey = secrets.token_bytes(32)
    with SharedMemoryManager(authkey=authkey) as manager:
        worker = ["go", "run", "./examples/python-manager", manager.address]
        name = subprocess.check_output(worker, input=authkey).decode()
        block = SharedMemory(name)
        print("Python: Go has ended and left", bytes(block.buf[:5]))
        block.close()
