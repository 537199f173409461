#!/usr/bin/env python3
# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Record the .npy files that this numpy writes.

    npy_fixtures.py OUTDIR             writes OUTDIR/manifest.json and OUTDIR/*.npy
    npy_fixtures.py --check TESTDATA   makes them anew and compares them with the
                                       folder of TESTDATA that this numpy writes alike

Needs numpy 1.17 or later. The output is the same on each run. testdata/npy/README.md
describes the manifest.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np

ALIGNED = "np.dtype([('a', 'u1'), ('b', '<f8'), ('c', '<i2')], align=True)"
TICK = (
    "np.dtype([('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', 'S1'),"
    " ('name', 'u1', (3,)), ('m', '<f4', (2, 2))], align=True)"
)

# (name, dtype, shape, order)
ARRAYS = [
    (
        code.replace(">", "big-").replace("<", "").replace("[", "-").replace("]", "").replace("?", "b1"),
        repr(code),
        (2, 3),
        "C",
    )
    for code in (
        ["?", "i1", "u1", "S5", "V7"]
        + ["<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16", "<U3"]
        + ["<M8[ns]", "<M8[25s]", "<M8", "<m8[us]"]
        + [">i2", ">i8", ">u4", ">f2", ">f8", ">c8", ">c16", ">U3", ">M8[s]"]
    )
] + [
    ("fortran", "'<i2'", (2, 3), "F"),
    ("fortran-3", "'>f4'", (2, 3, 4), "F"),
    ("scalar", "'<f8'", (), "C"),
    ("one-axis", "'<f8'", (2,), "C"),
    ("empty", "'<f4'", (0, 3), "C"),
    ("axes-32", "'<u2'", (1,) * 15 + (2, 3) + (1,) * 15, "C"),
    ("aligned", ALIGNED, (2,), "C"),
    ("packed", "[('a', 'u1'), ('b', '<f8'), ('c', '<i2')]", (2,), "C"),
    ("tick", TICK, (3,), "C"),
    ("nested", "np.dtype([('p', [('x', '<f4'), ('y', '<f8')], (2,)), ('n', 'u1')], align=True)", (2,), "F"),
    ("offsets", "{'names': ['a', 'b'], 'formats': ['<u2', '<u4'], 'offsets': [1, 7], 'itemsize': 16}", (2,), "C"),
    ("big-record", "[('a', '>u2'), ('b', '<u4'), ('c', '>c8')]", (2,), "C"),
    ("titles", "[(('A title', 'a'), '<i4'), ('b', '<i4')]", (2,), "C"),
    ("quotes", r"""[("it's", '<i4'), ('"', '<i4'), ('both \'"', '<i4'), ('\\ \n\t\x7f', '<i4')]""", (2,), "C"),
    ("subarray", "('<f4', (2, 3))", (2,), "C"),
    ("page", repr([("n" * 3960, "u1")]), (0,), "C"),
]


def fill(array, counter):
    """Give every number of an array another value; padding stays zero."""
    if array.dtype.names is not None:
        for name in array.dtype.names:
            fill(array[name], counter)
        return
    for index in np.ndindex(array.shape):
        counter[0] += 1
        n = counter[0]
        kind = array.dtype.kind
        if kind == "S":
            array[index] = ("s%d" % n).encode()[: array.dtype.itemsize]
        elif kind == "U":
            array[index] = "é€😀"[: n % 4]
        elif kind == "V":
            array[index] = bytes([n % 256]) * array.dtype.itemsize
        elif kind in "Mm":
            array[index] = np.array(n * 1000003, "i8").astype(array.dtype)
        elif kind == "b":
            array[index] = n % 2
        else:
            array[index] = n * 1.5 if kind in "fc" else n * 41 % 251 if array.dtype.itemsize > 1 else n


def record(name, dtype, shape, order, out):
    """Save an array and return what the manifest says of it."""
    array = np.zeros(shape, eval(dtype), order=order)
    fill(array, [0])
    path = out / (name + ".npy")
    np.save(str(path), array)
    entry = {"name": name, "file": path.name, "dtype": dtype, "order": order}
    entry["descr"] = repr(np.lib.format.dtype_to_descr(array.dtype))
    entry["shape"] = array.shape
    entry["fortran"] = bool(array.flags.fnc)
    entry["itemsize"] = array.dtype.itemsize
    entry["offset"] = path.stat().st_size - array.nbytes
    if array.dtype.names is None:
        native = array.byteswap() if array.dtype.str[0] == ">" else array
        entry["native"] = native.tobytes(order="C").hex()
    return entry


def generate(out):
    """Write the files and the manifest to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    entries = [record(*array, out=out) for array in ARRAYS]
    lines = ",\n".join("    " + json.dumps(entry) for entry in entries)
    head = json.dumps({"numpy": np.__version__, "byteorder": sys.byteorder})[1:-1]
    (out / "manifest.json").write_text('{%s, "arrays": [\n%s\n]}\n' % (head, lines))


def group():
    """Return the folder whose numpy writes the same bytes: 1.24 leaves more spaces."""
    version = tuple(int(part) for part in np.__version__.split(".")[:2])
    return "numpy-1.17" if version < (1, 24) else "numpy-2.5"


def compilers_own():
    """Return the arrays that differ here: the C compiler of 386 aligns 8 bytes to 4."""
    if np.dtype("f8").alignment == 8:
        return set()
    return {name for name, dtype, _, _ in ARRAYS if "align=True" in dtype}


def arrays(manifest):
    """Return what a manifest says of the arrays that are the same everywhere."""
    return [entry for entry in json.loads(manifest.read_text())["arrays"] if entry["name"] not in compilers_own()]


def check(testdata):
    """Print which files are not as in testdata and return the exit status."""
    want = testdata / group()
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        got = pathlib.Path(folder)
        generate(got)
        names = {path.name for path in list(got.iterdir()) + list(want.iterdir()) if path.stem not in compilers_own()}
        for name in sorted(names):
            a, b = (path / name for path in (want, got))
            same = a.exists() and b.exists()
            if same and name == "manifest.json":
                same = arrays(a) == arrays(b)
            elif same:
                same = a.read_bytes() == b.read_bytes()
            if not same:
                status = 1
                print("%s: numpy %s writes something else" % (want / name, np.__version__))
    return status


def main():
    """Do what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        return check(arguments.folder)
    generate(arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
