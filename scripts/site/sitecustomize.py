# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Keep multiprocessing from removing segments that it should leave alone.

Whenever Python starts, it runs a sitecustomize that it finds on PYTHONPATH. So this
file runs in each process of a worker's tree, and in their resource tracker. It does
nothing until the process imports multiprocessing.shared_memory or the tracker. Then

- an attach starts the resource tracker as ever, but does not register the segment, so
  that the segment stays when the process ends; a failed attach does not unlink;
- a segment that the process creates is registered as ever, together with its identity;
- unlink(), the tracker and a manager remove a name as ever, unless the name has passed
  to another segment meanwhile. (In the microseconds between check and removal it still
  can pass to another: no system call does both.)

If this file hides other sitecustomizes, it runs the next one as well.

With PYSHM_VERBOSE in the environment, each process in which this takes effect prints a
line on standard error.
"""

import os
import sys


def _identity(name):
    """Return the device and inode of the segment that has the name, or None."""
    try:
        if sys.platform == "linux":  # works without the right to open the segment
            found = os.stat("/dev/shm/" + name.lstrip("/"), follow_symlinks=False)
        else:
            import _posixshmem

            fd = _posixshmem.shm_open(name, os.O_RDONLY, mode=0)
            try:
                found = os.fstat(fd)
            finally:
                os.close(fd)
    except (OSError, ValueError):  # ValueError for a NUL or a surrogate
        return None
    return found.st_dev, found.st_ino


def _identity_of_open(block):
    """Return the device and inode of a SharedMemory, or None if it is closed."""
    fd = getattr(block, "_fd", -1)
    if fd < 0:
        return None
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _change_tracker(tracker):
    """Change multiprocessing.resource_tracker, in its users and in its own process.

    For a segment to which this thread is attaching, register only starts the tracker.
    unregister takes any name without complaint.
    """
    import threading

    register, unregister = tracker.register, tracker.unregister
    local = tracker._pyshm_local = threading.local()

    def register_unless_attaching(name, rtype):
        if rtype != "shared_memory":
            register(name, rtype)
        elif getattr(local, "attaching", False):
            # Processes forked later share a tracker that runs already.
            tracker.ensure_running()
        else:
            block = getattr(local, "block", None)
            own = _identity_of_open(block) if getattr(block, "_name", None) == name else None
            _send_identity(tracker, name, own or _identity(name))
            register(name, rtype)

    def quiet_unregister(name, rtype):
        if rtype == "shared_memory":
            # The tracker keeps a set, and prints a KeyError for a name outside of it,
            # such as the name of a segment to which this process has only attached.
            try:
                register(name, rtype)
            except ValueError:  # this tracker cannot hold the name: too long, or not ASCII
                return
        unregister(name, rtype)

    tracker.register = register_unless_attaching
    tracker.unregister = quiet_unregister
    _change_tracker_process(tracker)


# A line with the identity of the segment precedes each registration. It is a probe,
# which every version of the tracker reads and ignores. Device and inode are in
# hexadecimal digits, the name is in base64.
_IDENTITY_LINE = "PROBE:pyshm/%x/%x/%s:noop\n"


def _send_identity(tracker, name, identity):
    from base64 import urlsafe_b64encode

    if identity is None:
        return
    try:
        coded = urlsafe_b64encode(name.encode("utf-8", "surrogateescape")).decode()
        line = (_IDENTITY_LINE % (identity + (coded,))).encode()
        if len(line) <= 512:  # a pipe takes such a line as a whole
            os.write(tracker.getfd(), line)
    except Exception:
        pass  # the tracker looks for the identity itself


def _change_tracker_process(tracker):
    """Change the tracker's main, so that it removes only registered segments.

    Some processes of a tree may not run this file. If such a process registers a name
    without an identity, the name gets the identity that the tracker finds when it
    reads the line.
    """
    main, shm_unlink = tracker.main, tracker._CLEANUP_FUNCS.get("shared_memory")
    identities = {}  # for each registered name, a set
    announced = {}  # for each name, how many of its identities precede a registration

    def see(line):
        command, rtype, name = _decode(tracker, line)
        if command == "PROBE" and name.startswith("pyshm/"):
            name, identity = _decode_identity(name)
            identities.setdefault(name, set()).add(identity)
            announced[name] = announced.get(name, 0) + 1
        elif rtype != "shared_memory":
            pass
        elif command == "UNREGISTER":
            identities.pop(name, None)
        elif command == "REGISTER" and name not in announced:
            identities.setdefault(name, set()).add(_identity(name))
        elif command == "REGISTER":
            announced[name] -= 1
            if announced[name] == 0:
                del announced[name]

    def unlink_registered(name):
        found = _identity(name)
        if found is None or found in identities.get(name, (found,)):
            shm_unlink(name)

    def main_with_identities(fd):
        tracker.open = lambda *args: _SeenLines(open(*args), see)
        tracker._CLEANUP_FUNCS["shared_memory"] = unlink_registered
        main(fd)

    if shm_unlink is not None:
        tracker.main = main_with_identities


def _decode(tracker, line):
    if hasattr(tracker, "_decode_message"):  # 3.14 and later read JSON, too
        return tracker._decode_message(line)
    command, name, rtype = line.strip().decode("ascii").split(":")
    return command, rtype, name


def _decode_identity(text):
    from base64 import urlsafe_b64decode

    _, device, inode, name = text.split("/")
    name = urlsafe_b64decode(name).decode("utf-8", "surrogateescape")
    return name, (int(device, 16), int(inode, 16))


class _SeenLines:
    """An open file that calls a function with each line before it yields the line."""

    def __init__(self, file, see):
        self.file = file
        self.see = see

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.file.close()

    def __iter__(self):
        for line in self.file:
            try:
                self.see(line)
            except Exception:
                pass  # the tracker itself complains about a line that it cannot read
            yield line


def _change_shared_memory(shared_memory):
    """Change multiprocessing.shared_memory.

    An attach is noted in the tracker's local, and unlink checks which segment has the
    name.
    """
    import errno
    import functools
    from multiprocessing import resource_tracker as tracker

    init, unlink = shared_memory.SharedMemory.__init__, shared_memory.SharedMemory.unlink

    @functools.wraps(init)
    def init_quietly(self, name=None, create=False, size=0, **options):
        local = tracker._pyshm_local  # a reload of the tracker replaces it
        outer = getattr(local, "attaching", False), getattr(local, "block", None)
        local.attaching, local.block = not create, self
        if not create:
            # A failing attach calls unlink, which would start the tracker.
            tracked = options.get("track", True)
            self.unlink = tracker.ensure_running if tracked else lambda: None
        try:
            init(self, name, create, size, **options)
            self._pyshm_identity = _identity_of_open(self)
        finally:
            local.attaching, local.block = outer
            vars(self).pop("unlink", None)

    @functools.wraps(unlink)
    def unlink_own(self):
        own = vars(self).get("_pyshm_identity") or _identity_of_open(self)
        if own is not None and _identity(self._name) not in (own, None):
            reason = os.strerror(errno.ENOENT) + " (the name has passed to another segment)"
            raise FileNotFoundError(errno.ENOENT, reason, self._name)
        unlink(self)

    shared_memory.SharedMemory.__init__ = init_quietly
    shared_memory.SharedMemory.unlink = unlink_own
    if os.environ.get("PYSHM_VERBOSE") and sys.stderr:
        message = "pyshm: process %d leaves alone the shared memory that it attaches to\n"
        sys.stderr.write(message % os.getpid())


def _change_managers(managers):
    """Change multiprocessing.managers.

    A manager, too, removes only the segment that it was asked to track. If another
    segment has taken the name, the manager leaves it alone.
    """
    tracker = getattr(managers, "_SharedMemoryTracker", None)
    if tracker is None:
        return
    register_segment, destroy_segment = tracker.register_segment, tracker.destroy_segment

    def register_with_identity(self, name):
        vars(self).setdefault("_pyshm_identities", {})[name] = _identity(name)
        register_segment(self, name)

    def destroy_own(self, name):
        own = vars(self).get("_pyshm_identities", {}).pop(name, None)
        if own is not None and _identity(name) not in (own, None):
            self.segment_names.remove(name)
        else:
            destroy_segment(self, name)

    tracker.register_segment, tracker.destroy_segment = register_with_identity, destroy_own


def _change_util(util):
    """Change multiprocessing.util.

    A cleaner or a user may have removed the files of this folder. They are restored
    before a Python is started.
    """
    spawn, files = util.spawnv_passfds, {}
    for name in _FILES:
        try:
            file = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
            with open(file, "rb") as opened:
                files[file] = opened.read()
        except OSError:  # for example in a zip file
            pass

    def spawn_restoring(*args):
        for file, content in files.items():
            if not os.path.exists(file):
                _restore(file, content)
        return spawn(*args)

    util.spawnv_passfds = spawn_restoring


# The files of this folder, and the effect on a Python that is started without the file.
_FILES = {
    "sitecustomize.py": "removes shared memory that it attaches to",
    "pyshm_attach.py": "cannot import it",
}


def _restore(file, content):
    folder, name = os.path.split(file)
    try:
        missing = [os.path.join(folder, "__pycache__")]
        while not os.path.isdir(os.path.dirname(missing[-1])):
            missing.append(os.path.dirname(missing[-1]))
        there = os.stat(os.path.dirname(missing[-1]))
        if there.st_mode & 0o022 or there.st_uid != os.geteuid():
            raise PermissionError("other users can write to " + os.path.dirname(missing[-1]))
        for path in reversed(missing):
            if not os.path.isdir(path):
                os.mkdir(path, 0o755)
        new = "%s.%d" % (file, os.getpid())
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(fd, content)
        finally:
            os.close(fd)
        os.rename(new, file)
    except OSError as error:
        if sys.stderr:
            message = "pyshm: %s is gone (%s): what process %d starts %s\n"
            sys.stderr.write(message % (file, error, os.getpid(), _FILES[name]))


def _hold_folder():
    """Keep systemd-tmpfiles from removing this file, if it looks after its folder."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if os.path.basename(folder).startswith("pyshm-"):
        import fcntl

        try:
            sys._pyshm_folder = fd = os.open(folder, os.O_RDONLY)
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            pass


class _ChangeAfterImport:
    """A finder that changes a module as soon as it has been imported."""

    changes = {
        "multiprocessing.resource_tracker": _change_tracker,
        "multiprocessing.managers": _change_managers,
        "multiprocessing.shared_memory": _change_shared_memory,
        "multiprocessing.util": _change_util,
    }

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.changes:
            return None
        # Finders before this one have been asked, and may ask this one again.
        spec = _find_spec(_behind(cls, sys.meta_path), name, path, target)
        # The zipimporter of 3.8 and 3.9 has no exec_module: its modules stay as they are.
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
    """Return the items behind item in a list, none if item is not in it."""
    return items[items.index(item) + 1 :] if item in items else []


def _find_spec(finders, name, path, target=None):
    for finder in finders:
        if hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
    return None


def _run_hidden_sitecustomize(ran):
    """Run the next sitecustomize on sys.path behind this one.

    The next one may do the same and so come back to this file, or to a copy of it. Each
    run takes one entry of sys.path. ran has the entries already taken.
    """
    for entry in _behind(os.path.dirname(__file__), sys.path):
        if entry in ran:
            continue
        ran.add(entry)
        if _run_sitecustomize_in(entry):
            return


def _run_sitecustomize_in(entry):
    """Run the sitecustomize in this entry of sys.path, and report whether there is one."""
    if sys.version_info < (3, 5):
        return _run_sitecustomize_of_python_2(entry)
    spec = _find_spec(sys.meta_path, "sitecustomize", [entry])
    if spec is None or spec.loader is None:
        return False
    from importlib.util import module_from_spec

    sys.modules["sitecustomize"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return True


def _run_sitecustomize_of_python_2(entry):
    import imp

    try:
        found = imp.find_module("sitecustomize", [entry])
    except ImportError:
        return False
    # Without a reference, Python 2 would clear the module of this very function.
    sys._pyshm_module = sys.modules.pop("sitecustomize", None)
    try:
        imp.load_module("sitecustomize", *found)
    finally:
        if found[0]:
            found[0].close()
    return True


def _install():
    sys.meta_path.insert(0, _ChangeAfterImport)
    for name, change in _ChangeAfterImport.changes.items():
        if name in sys.modules:
            change(sys.modules[name])


if not hasattr(sys, "_pyshm_ran"):  # the first of this file and its copies
    sys._pyshm_ran = set()
    if sys.version_info >= (3, 8):  # earlier versions have no shared memory
        _install()
        _hold_folder()
_run_hidden_sitecustomize(sys._pyshm_ran)
