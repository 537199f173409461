"""numpy's half of the tests of pyshm.Array: makes arrays, opens them, and views them.

Runs under numpy 1.17 and later, in a peer, in one module with npy_numpy.py.
"""

import io
import json
import os
import random
from multiprocessing.shared_memory import SharedMemory

import numpy
from numpy.lib import format as npy

SHAPE = (2, 3)


def path(name):
    return "/dev/shm/" + name


def made_by_open_memmap(name, v):
    a = npy.open_memmap(path(name), "w+", dtype=v.dtype, shape=v.shape)
    a[...] = v
    return a, None


def made_in_fortran_order(name, v):
    a = npy.open_memmap(path(name), "w+", dtype=v.dtype, shape=v.shape, fortran_order=True)
    a[...] = v
    return a, None


def made_by_save(name, v):
    temporary = path(name) + ".tmp.npy"
    numpy.save(temporary, v)
    os.rename(temporary, path(name))
    return opened_by_load(name)


def made_by_shared_memory(name, v):
    h = io.BytesIO()
    npy.write_array_header_1_0(h, npy.header_data_from_array_1_0(v))
    shm = SharedMemory(name, True, h.tell() + v.nbytes)
    shm.buf[h.tell() : h.tell() + v.nbytes] = v.tobytes()
    shm.buf[: h.tell()] = h.getvalue()
    return in_block(shm, v.dtype, h.tell()), shm


def made_by_frombuffer(name, v):
    shm = SharedMemory(name, True, 64 + v.nbytes)
    a = in_block(shm, v.dtype, 64)
    a[...] = v
    return a, shm


def in_block(shm, dtype, offset):
    return numpy.frombuffer(shm.buf, dtype, 6, offset).reshape(SHAPE)


def opened_by_load(name):
    return numpy.load(path(name), mmap_mode="r+"), None


def opened_by_shared_memory(name):
    shm = SharedMemory(name)
    f = io.BytesIO(shm.buf[:4096])
    npy.read_magic(f)
    shape, fortran, dtype = npy.read_array_header_1_0(f)
    assert shape == SHAPE and not fortran
    return in_block(shm, dtype, f.tell()), shm


array = block = None


def keep(pair):
    """Hold on to an array until release."""
    global array, block
    array, block = pair


def release(unlink):
    global array, block
    array = None
    if block is not None:
        if unlink:
            block.unlink()
        block.close()
        block = None


def info(name):
    """Describe the array as programs do: with a record's list of fields."""
    descr = npy.dtype_to_descr(array.dtype)
    return json.dumps({"name": name, "shape": array.shape, "dtype": descr, "offset": 64})


def holds(v, order):
    """Report whether the array has the elements of v, in another order."""
    want = [plain(v.ravel().tolist())[i] for i in order]
    return in_one_order(array.dtype) == in_one_order(v.dtype) and plain(array.ravel().tolist()) == want


def in_one_order(d):
    return repr(npy.dtype_to_descr(d)).replace("'>", "'<")


def plain(value):
    """Return lists for the arrays that tolist leaves in records."""
    if isinstance(value, (list, tuple, numpy.ndarray)):
        return [plain(item) for item in (value.tolist() if isinstance(value, numpy.ndarray) else value)]
    return value


def records(align):
    point = numpy.dtype([("x", "f4"), ("y", "f4"), ("n", "u1")], align=align)
    return numpy.dtype(
        [("t", "M8[ns]"), ("flag", "?"), ("price", "f8"), ("qty", "i4"), ("side", "S3")]
        + [("half", "f2"), ("c", "c8"), ("points", point, (2, 3)), ("name", "U4"), ("last", "u1")],
        align=align,
    )


def record(i):
    points = [[(x + i, y, 7) for x in range(3)] for y in range(2)]
    return (i, i % 2, i + 0.5, -i, b"ab", i * 0.25, i + 2j, points, "n\u00e9\U0001f600", 200 + i)


def six(dtype, values):
    return numpy.array(values, dtype).reshape(SHAPE)


def views(name, seed, n):
    """Make a block and return descriptions of n random views of it."""
    rng = random.Random(seed)
    shm = SharedMemory(name, True, 4096)
    shm.buf[:] = bytes(rng.randrange(256) for _ in range(4096))
    made = []
    for _ in range(n):
        dtype = rng.choice(["<i4", ">i4", "<u2"])
        base = numpy.frombuffer(shm.buf, dtype, 300, rng.choice([0, 4, 128, 2]))
        v = view(rng, base.reshape(rng.choice([(300,), (20, 15), (5, 6, 10), (2, 3, 5, 10)])))
        offset = address(v) - address(numpy.frombuffer(shm.buf, "u1")) if v.size else 0
        described = {"name": name, "shape": v.shape, "dtype": v.dtype.str, "offset": offset}
        made.append([json.dumps(dict(described, strides=v.strides)), shared(v)])
        del base, v
    keep((None, shm))
    return made


def address(a):
    return a.__array_interface__["data"][0]


def view(rng, v):
    for _ in range(rng.randint(0, 3)):
        how = rng.randrange(6)
        if how == 0:
            v = v.transpose(rng.sample(range(v.ndim), v.ndim))
        elif how == 1 and v.ndim:
            v = v[tuple(slicing(rng, n) for n in v.shape)]
        elif how == 2 and v.ndim:
            v = v[rng.randrange(v.shape[0]), ...] if v.shape[0] else v  # without ... a copy
        elif how == 3:
            v = numpy.broadcast_to(v, (rng.randint(1, 3),) + v.shape)
        elif how == 4 and v.ndim and v.shape[-1] > 4:
            window = v.shape[:-1] + (v.shape[-1] - 2, 3)
            v = numpy.lib.stride_tricks.as_strided(v, window, v.strides + v.strides[-1:])
        elif how == 5:
            v = v[..., None]
    return v


def slicing(rng, n):
    step = rng.choice([-3, -2, -1, 1, 1, 2, 3])
    start = rng.randint(0, n)
    stop = rng.randint(0, n)
    return (
        slice(max(start, stop), min(start, stop), step) if step < 0 else slice(min(start, stop), max(start, stop), step)
    )


def shared(v):
    """Report whether two elements of v have a byte in common."""
    if v.size == 0:
        return False
    places = numpy.zeros((), "i8")
    for n, s in zip(v.shape, v.strides):
        places = numpy.add.outer(places, numpy.arange(n) * s)
    places = numpy.sort(places.ravel())
    return bool((numpy.diff(places) < v.itemsize).any())


def stored(described):
    """Return the numbers of a view as numpy sees them now."""
    d = json.loads(described)
    a = numpy.ndarray(d["shape"], d["dtype"], block.buf, d["offset"], d["strides"])
    return a.astype("=i8").tobytes()
