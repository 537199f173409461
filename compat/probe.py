# Prints facts about an interpreter for package compat, in one JSON object. Even a very
# old Python must get as far as the version.
import sys

# The working directory may have a script with the name of one of these modules.
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
