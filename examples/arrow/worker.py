import os
import sys

import pyarrow as pa

name = sys.argv[1]
trades = pa.ipc.open_file(pa.memory_map("/dev/shm/" + name)).read_all()  # copies nothing
print("Python:", trades.num_rows, "rows,", pa.total_allocated_bytes(), "bytes allocated")
sums = trades.group_by("symbol").aggregate([("volume", "sum")]).sort_by("symbol")

path = "/dev/shm/" + name + "-sums"
with pa.OSFile(path + ".tmp", "wb") as file, pa.ipc.new_file(file, sums.schema) as writer:
    writer.write_table(sums)
os.rename(path + ".tmp", path)  # complete when its name appears
