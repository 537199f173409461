"""Run in place of a worker, and report whether pyshm's environment has reached it."""

import json
import os
import sys

try:
    from multiprocessing.shared_memory import SharedMemory

    reached = hasattr(sys, "_pyshm_ran") and hasattr(SharedMemory.__init__, "__wrapped__")
except ImportError:
    reached = False
flags = sys.flags
print(
    "\npyshm-doctor-probe "
    + json.dumps(
        {
            "executable": sys.executable,
            "version": sys.version.split()[0],
            "old": sys.version_info < (3, 8),
            "isolated": bool(flags.isolated),
            "ignore_environment": bool(flags.ignore_environment),
            "no_site": bool(flags.no_site),
            "pythonpath": os.environ.get("PYTHONPATH", ""),
            "sitecustomize": getattr(sys.modules.get("sitecustomize"), "__file__", None) or "",
            "reached": reached,
        }
    )
)
