# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Keeps multiprocessing from removing shared memory that was only attached.

Python runs a sitecustomize that it finds on PYTHONPATH whenever it starts, so this
one runs in each process of a worker's tree. It does nothing until the process imports
multiprocessing.shared_memory. From then on the resource tracker does not hear of
an attach and so removes nothing when the process ends, a failed attach does not
unlink, and unlink() works as ever. What the process creates is tracked as ever.

If this file hides other sitecustomizes, it runs the next one as well.
"""
import os
import sys


def _change_tracker(tracker):
    """Changes multiprocessing.resource_tracker.

    A segment that this thread is attaching to is not registered, and unregister
    forgets any name without complaint.
    """
    import threading

    register, unregister = tracker.register, tracker.unregister
    local = tracker._pyshm_local = threading.local()

    def register_unless_attaching(name, rtype):
        if rtype != "shared_memory" or not getattr(local, "attaching", False):
            register(name, rtype)

    def quiet_unregister(name, rtype):
        if rtype == "shared_memory":
            # The tracker keeps a set, and prints a KeyError for what is not in it:
            # the name of a segment that this process has only attached to.
            register(name, rtype)
        unregister(name, rtype)

    tracker.register = register_unless_attaching
    tracker.unregister = quiet_unregister


def _change_shared_memory(shared_memory):
    """Changes multiprocessing.shared_memory: it tells the tracker's local of an attach."""
    import functools
    from multiprocessing import resource_tracker as tracker

    init = shared_memory.SharedMemory.__init__

    @functools.wraps(init)
    def init_quietly(self, name=None, create=False, size=0, **options):
        local = tracker._pyshm_local  # another one after a reload of the tracker
        outer = getattr(local, "attaching", False)
        local.attaching = not create
        if not create:
            self.unlink = lambda: None  # what a failing attach calls
        try:
            init(self, name, create, size, **options)
        finally:
            local.attaching = outer
            vars(self).pop("unlink", None)

    shared_memory.SharedMemory.__init__ = init_quietly


class _ChangeAfterImport:
    """A finder that has a module changed as soon as it has been imported."""

    changes = {
        "multiprocessing.resource_tracker": _change_tracker,
        "multiprocessing.shared_memory": _change_shared_memory,
    }

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.changes:
            return None
        # Those before this one have been asked, and may ask this one again.
        spec = _find_spec(_behind(cls, sys.meta_path), name, path, target)
        # The zipimporter of 3.8 and 3.9 has no exec_module: what it loads stays as it is.
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _ChangingLoader(spec.loader, cls.changes[name])
        return spec


class _ChangingLoader:
    def __init__(self, loader, change):
        self.loader = loader
        self.change = change

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.change(module)


def _behind(item, items):
    """What comes behind item in a list; nothing if it is not there."""
    return items[items.index(item) + 1 :] if item in items else []


def _find_spec(finders, name, path, target=None):
    for finder in finders:
        if hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def _run_hidden_sitecustomize(ran):
    """Runs the next sitecustomize on sys.path behind this one.

    What it runs may do the same and so come back to this file, or to a copy of it.
    Each run takes one entry of sys.path, and ran has those already taken.
    """
    for entry in _behind(os.path.dirname(__file__), sys.path):
        if entry in ran:
            continue
        ran.add(entry)
        spec = _find_spec(sys.meta_path, "sitecustomize", [entry])
        if spec is not None and spec.loader is not None:
            from importlib.util import module_from_spec

            sys.modules["sitecustomize"] = module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return


def _install():
    sys.meta_path.insert(0, _ChangeAfterImport)
    for name, change in _ChangeAfterImport.changes.items():
        if name in sys.modules:
            change(sys.modules[name])


if not hasattr(sys, "_pyshm_ran"):  # the first of this file and its copies
    sys._pyshm_ran = set()
    if sys.version_info >= (3, 8):  # earlier ones have no shared memory
        _install()
_run_hidden_sitecustomize(sys._pyshm_ran)
