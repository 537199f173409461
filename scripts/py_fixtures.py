#!/usr/bin/env python3
# Copyright (c) 2026 The pyshm Authors. SPDX-License-Identifier: BSD-3-Clause
"""Record the lists that this Python's ShareableList makes of a set of values.

    py_fixtures.py OUTDIR              writes OUTDIR/manifest.json and OUTDIR/*.bin
    py_fixtures.py --check TESTDATA    makes them anew and compares them with
                                       TESTDATA/*, made by a Python of this layout

Any Python from 3.8 on will do, with only its standard library. The output is the same
on each run. testdata/README.md describes the manifest.
"""

import argparse
import array
import contextlib
import ctypes
import decimal
import difflib
import enum
import fractions
import hashlib
import json
import os
import pathlib
import platform
import struct
import sys
import tempfile
from multiprocessing.shared_memory import ShareableList, SharedMemory

# (name, the arguments of ShareableList). The names of NAMESPACE may be used.
LISTS = (
    # Every kind, and the smallest lists.
    ("mixed", r"[-2, 1.5, True, None, 'hé', b'\x00ab', 'abcdefgh', '']"),
    ("empty", "[]"),
    ("one-int", "[1]"),
    ("one-str", "['a']"),
    # Numbers, bool and None.
    ("ints", "[0, 1, -1, 2**63 - 1, -2**63]"),
    ("bools", "[True, False]"),
    ("none", "[None]"),
    ("floats", "[0.0, -0.0, 1.5, float('inf'), float('-inf'), 5e-324]"),
    ("nans", "[bits('7ff8000000000000'), bits('fff8000000000000'), bits('7ff8000000001234')]"),
    ("nans-signalling", "[bits('7ff0000000000001'), bits('fff4000000abcdef')]"),
    # str. A slot is sized by code points, then filled with UTF-8: bytes that do not fit
    # are cut off, between two characters or inside one.
    ("str-ascii", "['a' * n for n in (0, 1, 7, 8, 9, 15, 16, 17, 23, 24)]"),
    ("str-2-bytes", "['é' * n for n in (1, 2, 3, 4, 8)]"),
    ("str-2-bytes-cut", "['é' * n for n in (5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17)]"),
    ("str-3-bytes", "['€' * n for n in (1, 2)]"),
    ("str-3-bytes-cut", "['€' * n for n in (16, 17)]"),
    ("str-3-bytes-split", "['€' * n for n in range(3, 16)]"),
    ("str-4-bytes", "['😀' * n for n in (1, 2)]"),
    ("str-4-bytes-cut", "['😀' * n for n in range(3, 18)]"),
    ("str-mixed", "['aaaaaaé', 'aaaaa€', 'a' * 14 + 'é']"),
    ("str-mixed-split", "['aaaaaa€']"),
    ("str-nul-inside", r"['a\0b', '\0a']"),
    ("str-nul-end", r"['ab\0', '\0', '\0\0\0', 'a\0\0b\0\0', 'abcdefg\0', 'a' * 7 + '\0' * 9]"),
    # bytes.
    ("bytes", r"[b'b' * n for n in (0, 1, 7, 8, 15, 16)] + [b'\xff\xfe']"),
    ("bytes-nul-inside", r"[b'\0ab', b'a\0b']"),
    ("bytes-nul-end", r"[b'ab\0', b'\0', b'\0' * 8, b'abcdefgh\0']"),
    # The longest: '9999992s' fills the eight characters of a format.
    ("str-longest", "['a' * 9999991]"),
    ("bytes-longest", "[b'a' * 9999991]"),
    ("str-too-long", "['a' * 9999992]"),
    ("bytes-too-long", "[b'a' * 9999992]"),
    # int out of range.
    ("int-2e63", "[2**63]"),
    ("int-minus-2e63-minus-1", "[-2**63 - 1]"),
    ("int-2e64", "[2**64]"),
    ("int-2e100", "[2**100]"),
    ("int-2e63-later", "[7, 'ab', 2**63, 8]"),
    # str that UTF-8 cannot spell.
    ("str-surrogate", r"['\ud800']"),
    ("str-surrogate-inside", r"['a\udc80b']"),
    ("str-surrogate-later", r"[7, 'ab', '\ud800', 8]"),
    # Types other than the six, also subclasses of the six.
    ("type-int-subclass", "[Int(1)]"),
    ("type-int-enum", "[Number.ONE]"),
    ("type-float-subclass", "[Float(1.5)]"),
    ("type-str-subclass", "[Str('a')]"),
    ("type-bytes-subclass", "[Bytes(b'a')]"),
    ("type-bytearray", "[bytearray(b'a')]"),
    ("type-memoryview", "[memoryview(b'a')]"),
    ("type-decimal", "[Decimal(1)]"),
    ("type-fraction", "[Fraction(1, 2)]"),
    ("type-complex", "[1j]"),
    ("type-list", "[[1]]"),
    ("type-tuple", "[(1,)]"),
    ("type-dict", "[{}]"),
    ("type-set", "[set()]"),
    ("type-range", "[range(1)]"),
    ("type-c-float", "[c_float(1.5)]"),
    ("type-array", "[array('b', b'a')]"),
    ("type-type", "[int]"),
    ("type-ellipsis", "[...]"),
    # Arguments in the place of a list.
    ("sequence-none", ""),
    ("sequence-empty-tuple", "()"),
    ("sequence-empty-str", "''"),
    ("sequence-empty-range", "range(0)"),
    ("sequence-empty-generator", "(i for i in ())"),
    ("sequence-str", "'abc'"),
    ("sequence-bytes", "b'abc'"),
    ("sequence-dict", "{'k': 1}"),
    ("sequence-set", "{5}"),
    ("sequence-range", "range(3)"),
    ("sequence-shareable-list", "existing"),
    ("sequence-generator", "(i for i in (1, 2, 3))"),
    ("sequence-map", "map(int, '123')"),
    ("sequence-iterator", "iter([1, 2, 3])"),
    ("sequence-int", "5"),
    ("sequence-zero", "0"),
    ("sequence-false", "False"),
    ("name-taken", "[], name=existing.shm.name"),
    ("name-missing", "name='pyshm_fx_missing'"),
    # Lists to be changed: the middle item, which has a slot of 8 or 24 bytes.
    ("int8", "[1, 65, 'z']"),
    ("float8", "[1, 2.5, 'z']"),
    ("bool8", "[1, True, 'z']"),
    ("none8", "[1, None, 'z']"),
    ("str8", "[1, 'old', 'z']"),
    ("bytes8", "[1, b'old', 'z']"),
    ("str16", "[1, 'o' * 15, 'z']"),
    ("str24", "[1, 'o' * 23, 'z']"),
    ("bytes24", "[1, b'o' * 23, 'z']"),
)

# (name, value): each is set as item 1 of the lists named in SET_LISTS.
SET_LISTS = ("int8", "float8", "bool8", "none8", "str8", "bytes8", "str24", "bytes24")
SET_VALUES = (
    ("int", "5"),
    ("float", "2.5"),
    ("true", "True"),
    ("false", "False"),
    ("none", "None"),
    ("str", "'ab'"),
    ("str-empty", "''"),
    ("str-8", "'ABCDEFGH'"),
    ("str-8-euro", "'€€aa'"),
    ("str-9", "'ABCDEFGHI'"),
    ("str-9-euro", "'€€€'"),
    ("str-24", "'x' * 24"),
    ("str-24-emoji", "'😀' * 6"),
    ("str-25", "'x' * 25"),
    ("str-nul-end", r"'ab\0'"),
    ("str-surrogate", r"'\ud800'"),
    ("str-subclass", "Str('ab')"),
    ("bytes", "b'ab'"),
    ("bytes-empty", "b''"),
    ("bytes-8", "b'ABCDEFGH'"),
    ("bytes-9", "b'ABCDEFGHI'"),
    ("bytes-not-utf8", r"b'\xff\xfe'"),
    ("bytes-nul-end", r"b'ab\0'"),
    ("bytes-subclass", "Bytes(b'ab')"),
    ("int-subclass", "Int(5)"),
    ("float-subclass", "Float(2.5)"),
    ("list", "[5]"),
    ("bytearray", "bytearray(b'ab')"),
    ("int-2e63", "2**63"),
    ("int-minus-2e63-minus-1", "-2**63 - 1"),
)

# (before, index, name, value): further assignments. before is a list or, in a
# chain, an earlier assignment.
SETS = tuple(
    ("%s=%s" % (before, first), 1, name, value)
    for before in ("str24", "bytes24")
    for first in ("int", "float", "true", "none")
    for name, value in (("str", "'ab'"), ("str-24", "'x' * 24"), ("bytes-24", "b'x' * 24"))
) + (
    ("str24=bytes", 1, "str-24", "'x' * 24"),
    ("bytes24=str", 1, "bytes-24", "b'x' * 24"),
    ("int8=str", 1, "int", "5"),
    ("none8=int", 1, "none", "None"),
    ("int8=int-2e63", 1, "str", "'ab'"),
    ("int8", 0, "at-0", "-7"),
    ("int8", 2, "at-2", "'Z'"),
    ("int8", -1, "at-minus-1", "'Z'"),
    ("int8", -3, "at-minus-3", "-7"),
    ("int8", 3, "at-3", "5"),
)

# (before, area, bytes, name): bytes written over an area of item 1 from outside, to see
# the value that Python then reads.
PATCHES = (
    ("bool8", "slot", b"\0\0\0\0\0\0\0\2", "true-2"),
    ("bool8", "slot", b"\0\0\0\0\0\0\0\xff", "true-255"),
    ("bool8", "slot", b"\xff\xff\xff\xff\xff\xff\xff\0", "false-leftovers"),
    ("none8", "slot", b"\xff\xff\xff\xff\xff\xff\xff\xff", "none-leftovers"),
    ("str16", "format", b"5s\0\0\0\0\0\0", "5s"),
    ("str16", "code", b"\2", "bytes"),
)


class Int(int):
    pass


class Float(float):
    pass


class Str(str):
    pass


class Bytes(bytes):
    pass


class Number(enum.IntEnum):
    ONE = 1


def bits(digits):
    """Return the float with these IEEE 754 bits, most significant digit first."""
    return struct.unpack(">d", bytes.fromhex(digits))[0]


NAMESPACE = {
    "Int": Int,
    "Float": Float,
    "Str": Str,
    "Bytes": Bytes,
    "Number": Number,
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "array": array.array,
    "c_float": ctypes.c_float,
    "bits": bits,
}

BIGGEST_FILE = 1 << 16  # a longer list is recorded by the SHA-256 of its bytes


# Values


def spell(value):
    """Spell a value as JSON, or return None if a ShareableList cannot hold it."""
    kind = type(value)
    if kind is int and -(2**63) <= value < 2**63:
        return {"int": str(value)}
    if kind is float:
        return {"float": struct.pack(">d", value).hex()}
    if kind is bool:
        return {"bool": value}
    if value is None:
        return {"none": None}
    if kind is str and is_utf8(value):
        return {"str": value}
    if kind is bytes:
        return {"bytes": value.hex()}
    return None


def is_utf8(text):
    """Report whether UTF-8 can spell text: it cannot if text has lone surrogates."""
    return text.encode("utf-8", "ignore").decode() == text


def spell_list(values):
    """Return the part of an entry with a list's values, empty if one cannot be spelled.

    A single long text is spelled by the character that it repeats.
    """
    if len(values) == 1 and isinstance(values[0], (str, bytes)) and len(values[0]) > 1000:
        (text,) = values
        assert text == text[:1] * len(text)
        return {"values": [spell(text[:1])], "repeat": len(text)}
    spelled = [spell(value) for value in values]
    return {} if None in spelled else {"values": spelled}


def exception_name(error):
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__name__)


def read_item(items, index):
    """Return the spelled value that Python reads at index, or the exception."""
    try:
        return spell(items[index])
    except Exception as error:
        return {"error": exception_name(error)}


# Bytes


class Layout:
    """The offsets of the parts of a ShareableList.

    The layout "sizes" (Python 3.8) begins with the count and a size per item. The
    layout "offsets" (3.9 and later) begins with the count and count+1 offsets, the
    first of them 0.
    """

    def __init__(self, name, data):
        (count,) = struct.unpack_from("q", data)
        if name == "sizes":
            self.sizes = struct.unpack_from("%dq" % count, data, 8)
            self.slots = 8 + 8 * count
        else:
            offsets = struct.unpack_from("%dq" % (count + 1), data, 8)
            self.sizes = [end - start for start, end in zip(offsets, offsets[1:])]
            self.slots = 16 + 8 * count
        self.formats = self.slots + sum(self.sizes)
        self.codes = self.formats + 8 * count
        self.end = self.codes + count

    def slot(self, index):
        return self.slots + sum(self.sizes[:index])

    def format(self, index):
        return self.formats + 8 * index

    def code(self, index):
        return self.codes + index


# Segments


class Segments:
    """Makes shared memory under names of its own, and removes it."""

    def __init__(self):
        self.made = 0

    def name(self):
        return "pyshm_fx_%d_%d" % (os.getpid(), self.made)

    @contextlib.contextmanager
    def new_list(self, arguments, namespace):
        """Return the list that the expression ShareableList(arguments) makes."""
        self.made += 1

        def make(*sequence, **options):
            if sequence:
                options.setdefault("name", self.name())
            return ShareableList(*sequence, **options)

        items = eval("make(%s)" % arguments, dict(namespace, make=make))
        try:
            yield items
        finally:
            items.shm.close()
            items.shm.unlink()

    def take_left_behind(self):
        """Remove the segment that a failed new_list left, and return its bytes, or None."""
        try:
            memory = SharedMemory(self.name())
        except FileNotFoundError:
            return None
        data = bytes(memory.buf)
        memory.close()
        memory.unlink()
        return data

    @contextlib.contextmanager
    def list_of(self, data):
        """Yield a list attached to a segment that holds data."""
        self.made += 1
        memory = SharedMemory(self.name(), create=True, size=len(data))
        try:
            memory.buf[: len(data)] = data
            items = ShareableList(name=self.name())
            try:
                yield items
            finally:
                items.shm.close()
        finally:
            memory.close()
            memory.unlink()


# Recording


class Recorder:
    """Runs the cases and writes their results into a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.segments = Segments()
        self.layout = self.find_layout()
        self.states = {}  # by name: bytes that a set or a patch may begin with
        self.manifest = {"lists": [], "refused": [], "sets": [], "patches": []}

    def find_layout(self):
        with self.segments.new_list("[1]", {}) as items:
            (word,) = struct.unpack_from("q", items.shm.buf, 8)
        if word not in (0, 8):
            sys.exit("py_fixtures.py: this Python has a layout of its own: [1] has %d after the count" % word)
        return "sizes" if word == 8 else "offsets"

    def record(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.segments.new_list("[1, 'a', None]", {}) as existing:
            namespace = dict(NAMESPACE, existing=existing)
            for name, arguments in LISTS:
                self.record_list(name, arguments, namespace)
        for before in SET_LISTS:
            for name, value in SET_VALUES:
                self.record_set(before, 1, name, value)
        for case in SETS:
            self.record_set(*case)
        for case in PATCHES:
            self.record_patch(*case)
        write_manifest(self.folder, dict(description_of_this_python(self.layout), **self.manifest))

    def record_list(self, name, arguments, namespace):
        entry = {"name": name, "expr": arguments}
        sequence = eval("(lambda *sequence, **options: sequence)(%s)" % arguments, namespace)
        with contextlib.ExitStack() as stack:
            try:
                items = stack.enter_context(self.segments.new_list(arguments, namespace))
            except Exception as error:
                entry["error"] = exception_name(error)
                self.describe_refusal(entry, *sequence)
            else:
                self.describe_list(entry, items, *sequence)

    def describe_refusal(self, entry, sequence=None):
        if sequence and isinstance(sequence, list):  # an empty list is refused for its name
            entry.update(spell_list(sequence))
        left = self.segments.take_left_behind()
        entry["left_behind"] = left is not None
        if left is not None:
            self.keep_bytes(entry, left)
        self.manifest["refused"].append(entry)

    def describe_list(self, entry, items, sequence=None):
        values = list(sequence or ())
        data = bytes(items.shm.buf)
        layout = Layout(self.layout, data)
        data = data[: layout.end]  # some systems round sizes up to whole pages
        entry.update(spell_list(values))
        self.keep_bytes(entry, data)
        entry["format"] = items.format
        entry["codes"] = list(data[layout.codes :])
        with self.segments.list_of(data) as reader:
            reads = [read_item(reader, index) for index in range(len(reader))]
        entry["kept"] = reads == [spell(value) for value in values]
        entry["reads"] = entry["values"] if "repeat" in entry and entry["kept"] else reads
        self.states[entry["name"]] = data
        self.manifest["lists"].append(entry)

    def record_set(self, before, index, name, expression):
        value = eval(expression, NAMESPACE)
        spelled = spell(value)
        entry = {"name": "%s=%s" % (before, name), "before": before, "index": index, "expr": expression}
        if spelled:
            entry["value"] = spelled
        with self.segments.list_of(self.states[before]) as items:
            try:
                items[index] = value
            except Exception as error:
                entry["error"] = exception_name(error)
            self.describe_item(entry, items)
        entry["kept"] = "error" not in entry and entry["read"] == spelled
        self.manifest["sets"].append(entry)

    def record_patch(self, before, area, patch, name):
        data = bytearray(self.states[before])
        offset = getattr(Layout(self.layout, data), area)(1)
        data[offset : offset + len(patch)] = patch
        entry = {"name": "%s/%s=%s" % (before, area, name), "before": before, "index": 1}
        with self.segments.list_of(data) as items:
            self.describe_item(entry, items)
        self.manifest["patches"].append(entry)

    def describe_item(self, entry, items):
        """Add the bytes as they are now and, if there is such an item, the item's state."""
        index = entry["index"]
        data = bytes(items.shm.buf)
        layout = Layout(self.layout, data)
        data = data[: layout.end]
        entry["after"] = data.hex()
        if -len(items) <= index < len(items):
            position = index % len(items)
            entry["slot"] = [layout.slot(position), layout.sizes[position]]
            entry["format"] = data[layout.format(position) :][:8].rstrip(b"\0").decode()
            entry["code"] = data[layout.code(position)]
            entry["read"] = read_item(items, index)
        self.states[entry["name"]] = data

    def keep_bytes(self, entry, data):
        entry["size"] = len(data)
        if len(data) > BIGGEST_FILE:
            entry["sha256"] = hashlib.sha256(data).hexdigest()
        else:
            entry["file"] = entry["name"] + ".bin"
            (self.folder / entry["file"]).write_bytes(data)


def description_of_this_python(layout):
    release = getattr(sys, "pypy_version_info", sys.version_info)
    return {
        "interpreter": "%s %d.%d.%d" % ((platform.python_implementation(),) + tuple(release[:3])),
        "implementation": sys.implementation.name,
        "version": platform.python_version(),
        "byteorder": sys.byteorder,
        "pointer_bits": 8 * struct.calcsize("P"),
        "layout": layout,
    }


# Manifests


def write_manifest(folder, manifest):
    members = (json_member(key, value) for key, value in manifest.items())
    with open(folder / "manifest.json", "w", encoding="utf-8", newline="\n") as file:
        file.write("{\n%s\n}\n" % ",\n".join(members))


def json_member(key, value):
    """Return a line, or a list with a line for each of its items."""
    if isinstance(value, list):
        return "%s: [\n%s\n]" % (json.dumps(key), ",\n".join(to_json(item) for item in value))
    return "%s: %s" % (json.dumps(key), to_json(value))


def to_json(value):
    return json.dumps(value, ensure_ascii=False)


def read_manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


# Checking


def check(testdata):
    """Compare this Python's results with another Python's; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="pyshm_fx_") as temporary:
        made_in = pathlib.Path(temporary)
        Recorder(made_in).record()
        made = read_manifest(made_in)
        folders = [path.parent for path in sorted(testdata.glob("*/manifest.json"))]
        folders = [folder for folder in folders if read_manifest(folder)["layout"] == made["layout"]]
        if not folders:
            print("%s: nothing of the layout %r" % (testdata, made["layout"]))
            return 1
        return max([compare(folder, made_in) for folder in folders])


def compare(folder, made_in):
    recorded, made = read_manifest(folder), read_manifest(made_in)
    bytes_too = recorded["byteorder"] == made["byteorder"]
    if made["implementation"] == "pypy" and recorded["implementation"] == "cpython":
        expect_pypy(recorded, folder)
    differences = list(
        difflib.unified_diff(
            lines_of(recorded, folder, bytes_too),
            lines_of(made, made_in, bytes_too),
            "%s (%s)" % (folder, recorded["interpreter"]),
            made["interpreter"],
            lineterm="",
            n=0,
        )
    )
    if differences:
        print("\n".join(differences))
        return 1
    print("%s: %s makes the same %s" % (folder, made["interpreter"], "bytes" if bytes_too else "values"))
    return 0


def lines_of(manifest, folder, bytes_too):
    """Return the lines that must be equal, one for each case and each file."""
    ignored = () if bytes_too else ("after", "sha256")
    # Where floats pass through the x87 registers, no signalling NaN survives.
    left_out = () if spell(bits("7ff0000000000001"))["float"] == "7ff0000000000001" else ("nans-signalling",)
    lines = []
    for key in ("lists", "refused", "sets", "patches"):
        for entry in manifest[key]:
            if entry["name"] not in left_out:
                lines.append("%s: %s" % (key, to_json({k: v for k, v in entry.items() if k not in ignored})))
    if bytes_too:
        for path in sorted(folder.glob("*.bin")):
            if path.stem not in left_out:
                lines.append("%s: %s" % (path.name, path.read_bytes().hex()))
    return lines


def expect_pypy(manifest, folder):
    """Put into a manifest of CPython the one thing that PyPy does differently.

    When struct refuses an int, the kind of the item is already int. CPython has also
    zeroed the slot by then, PyPy has left the old bytes in it.
    """
    states = {entry["name"]: (folder / entry["file"]).read_bytes() for entry in manifest["lists"] if "file" in entry}
    for entry in manifest["sets"]:
        if entry.get("error") == "struct.error":
            slot = entry["slot"][0]
            left = states[entry["before"]][slot : slot + 8]
            after = bytearray.fromhex(entry["after"])
            after[slot : slot + 8] = left
            entry["after"] = after.hex()
            entry["read"] = spell(int.from_bytes(left, manifest["byteorder"], signed=True))
        states[entry["name"]] = bytes.fromhex(entry["after"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("folder", type=pathlib.Path, help="where to write, or testdata to compare with")
    options = parser.parse_args()
    if not __debug__:
        parser.error("python -O turns off checks that ShareableList relies on")
    if options.check:
        return check(options.folder)
    Recorder(options.folder).record()
    return 0


if __name__ == "__main__":
    sys.exit(main())
