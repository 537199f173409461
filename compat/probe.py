# Prints facts about an interpreter for package compat, in one JSON object. Even a very
# old Python must get as far as the version. Modules inspect and platform would take a
# sixth of the time.
import sys

# The working directory may have a script with the name of one of these modules.
sys.path[:] = [path for path in sys.path if path]

import json

names = {"cpython": "CPython", "pypy": "PyPy"}
name = getattr(getattr(sys, "implementation", None), "name", None)
if name not in names:
    import platform

    names[name] = platform.python_implementation()

facts = {
    "Executable": sys.executable,
    "Prefix": sys.prefix,
    "Implementation": names[name],
    "Version": sys.version_info[:3],
}
if sys.version_info >= (3, 8):
    import importlib.util
    from multiprocessing.shared_memory import SharedMemory

    init = SharedMemory.__init__
    while hasattr(init, "__wrapped__"):  # by WorkerEnv
        init = init.__wrapped__
    code = init.__code__
    facts["HasTrack"] = "track" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    facts["HasNumpy"] = importlib.util.find_spec("numpy") is not None
print(json.dumps(facts))
