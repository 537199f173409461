# Prints what package compat wants to know of an interpreter, in one JSON object.
# Any Python that is still around must get through to the version at least.
import sys

# The working directory may have a script called like one of these modules.
sys.path[:] = [path for path in sys.path if path]

import json
import platform

facts = {
    "Executable": sys.executable,
    "Prefix": sys.prefix,
    "Implementation": platform.python_implementation(),
    "Version": sys.version_info[:3],
}
if sys.version_info >= (3, 8):
    import importlib.util
    import inspect
    from multiprocessing.shared_memory import SharedMemory

    facts["HasTrack"] = "track" in inspect.signature(SharedMemory.__init__).parameters
    facts["HasNumpy"] = importlib.util.find_spec("numpy") is not None
print(json.dumps(facts))
