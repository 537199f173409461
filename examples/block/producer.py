import subprocess
from multiprocessing.shared_memory import SharedMemory

shm = SharedMemory(create=True, size=4 * 8)
samples = shm.buf.cast("d")  # or numpy.frombuffer(shm.buf, "d")
samples[:] = memoryview(bytes(32)).cast("d")
samples[0], samples[3] = 0.25, -1.5
subprocess.run(["go", "run", "./examples/block", shm.name], check=True)
print("Python:", list(samples))
samples.release()
shm.close()
shm.unlink()
