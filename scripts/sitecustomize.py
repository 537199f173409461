# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Keeps multiprocessing from removing shared memory that was only attached.

Python runs a sitecustomize that it finds on PYTHONPATH whenever it starts, so this
one runs in each process of a worker's tree. It does nothing until the process imports
multiprocessing.shared_memory. From then on the resource tracker does not hear of
an attach and so removes nothing when the process ends, a failed attach does not
unlink, and unlink() works as ever. What the process creates is tracked as ever.

If this file hides another sitecustomize, it runs that as well.
"""
import os
import sys


def _quiet_unregister(tracker):
    """Changes multiprocessing.resource_tracker: it forgets any name without complaint."""
    register, unregister = tracker.register, tracker.unregister

    def quiet(name, rtype):
        if rtype == "shared_memory":
            # The tracker keeps a set, and prints a KeyError for what is not in it:
            # the name of a segment that this process has only attached to.
            register(name, rtype)
        unregister(name, rtype)

    tracker.unregister = quiet


def _untracked_attach(shared_memory):
    """Changes multiprocessing.shared_memory: an attach is not registered."""
    import functools
    import threading
    from multiprocessing import resource_tracker as tracker

    init, register = shared_memory.SharedMemory.__init__, tracker.register
    local = threading.local()

    def register_unless_attaching(name, rtype):
        if not getattr(local, "attaching", False):
            register(name, rtype)

    @functools.wraps(init)
    def init_quietly(self, name=None, create=False, size=0, **options):
        outer = getattr(local, "attaching", False)
        local.attaching = not create
        if not create:
            self.unlink = lambda: None  # what a failing attach calls
        try:
            init(self, name, create, size, **options)
        finally:
            local.attaching = outer
            vars(self).pop("unlink", None)

    tracker.register = register_unless_attaching
    shared_memory.SharedMemory.__init__ = init_quietly


class _ChangeAfterImport:
    """A finder that has a module changed as soon as it has been imported."""

    changes = {
        "multiprocessing.resource_tracker": _quiet_unregister,
        "multiprocessing.shared_memory": _untracked_attach,
    }

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.changes:
            return None
        spec = _find_spec(name, path, target, without=cls)
        if spec is not None:
            spec.loader = _ChangingLoader(spec.loader, cls.changes[name])
        return spec


class _ChangingLoader:
    def __init__(self, loader, change):
        self.loader = loader
        self.change = change

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.change(module)


def _find_spec(name, path, target=None, without=None):
    for finder in sys.meta_path:
        if finder is not without and hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def _run_hidden_sitecustomize():
    here = os.path.dirname(__file__)
    spec = _find_spec("sitecustomize", [entry for entry in sys.path if entry != here])
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    sys.modules["sitecustomize"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)


if sys.version_info >= (3, 8):  # earlier ones have no shared memory
    for _name, _change in _ChangeAfterImport.changes.items():
        if _name in sys.modules:
            _change(sys.modules[_name])
    sys.meta_path.insert(0, _ChangeAfterImport)
_run_hidden_sitecustomize()
