import os
import sys

import pandas as pd
import pyarrow as pa
from pyarrow import flight


def sums(trades):
    """Return the volume of each symbol. The dataframe has the memory of the table."""
    frame = trades.to_pandas(types_mapper=pd.ArrowDtype)
    return pa.Table.from_pandas(frame.groupby("symbol", as_index=False)["volume"].sum())


def in_memory(name):
    """Read a table in shared memory, and make one."""
    before = pa.total_allocated_bytes()
    trades = pa.ipc.open_file(pa.memory_map("/dev/shm/" + name)).read_all()
    trades.to_pandas(types_mapper=pd.ArrowDtype)
    print("Python:", trades.num_rows, "rows,", pa.total_allocated_bytes() - before, "bytes allocated")
    path, table = "/dev/shm/" + name + "-sums", sums(trades)
    with pa.OSFile(path + ".tmp", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    os.rename(path + ".tmp", path)  # complete when its name appears


class Server(flight.FlightServerBase):
    def do_exchange(self, context, descriptor, reader, writer):
        """Receive a table from any machine, and send one back."""
        table = sums(reader.read_all())
        writer.begin(table.schema)
        writer.write_table(table)


if sys.argv[1] == "--flight":
    server = Server("grpc://" + sys.argv[2])
    print("Python: listening on port", server.port, flush=True)
    server.serve()  # until SIGTERM or Ctrl-C
else:
    in_memory(sys.argv[1])
