"""numpy's half of the tests of format/npy: makes headers and reads them.

Runs under numpy 1.17 and later, in a peer, which calls the functions with Eval.
"""

import io
import random
import warnings

import numpy
from numpy.lib import format as npy

try:
    from numpy.lib._format_impl import _read_array_header
except ImportError:  # before 2.4
    from numpy.lib.format import _read_array_header

warnings.simplefilter("ignore")

# The long double has 16 bytes on most machines, and 12 on 386. On arm it is a double.
LONG = numpy.dtype("g").itemsize
UNITS = ["", "[Y]", "[25s]", "[ms]", "[us]", "[ns]", "[as]", "[1000D]"]
CODES = (
    ["?", "i1", "u1", "f2", "S1", "S5", "V7", "U1", "U6", "c8", "c16", "f%d" % LONG, "c%d" % (2 * LONG)]
    + ["<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f4", "<f8"]
    + [">i2", ">i4", ">i8", ">u2", ">u4", ">u8", ">f4", ">f8", ">c8", ">U3", ">f%d" % LONG]
)
NAME = "abcXYZ_09 .,:;'\"\\()[]{}<>|#\t\n\r\x01\x7f"


def name(rng, taken):
    while True:
        n = "".join(rng.choice(NAME) for _ in range(rng.randint(1, 6)))
        if n not in taken:
            taken.add(n)
            return n


def plain(rng):
    if rng.random() < 0.15:
        return rng.choice("<>") + rng.choice("mM") + "8" + rng.choice(UNITS)
    return rng.choice(CODES)


def dtype(rng, depth=0):
    """Return a random dtype: plain, or a record, packed, aligned or with gaps."""
    if rng.random() < (0.4 if depth == 0 else 0.7) + depth * 0.1:
        return numpy.dtype(plain(rng))
    taken, fields = set(), []
    for _ in range(rng.randint(1, 5)):
        n = name(rng, taken)
        if rng.random() < 0.15:
            n = (name(rng, taken), n)
        d = dtype(rng, depth + 1)
        if rng.random() < 0.25:
            fields.append((n, d, tuple(rng.randint(1, 3) for _ in range(rng.randint(1, 3)))))
        else:
            fields.append((n, d))
    made = numpy.dtype(fields, align=rng.random() < 0.5)
    if rng.random() < 0.2:
        made = numpy.dtype(
            {
                "names": list(made.names),
                "formats": [made.fields[n][0] for n in made.names],
                "offsets": [made.fields[n][1] + 3 for n in made.names],
                "itemsize": made.itemsize + rng.choice([3, 8]),
            }
        )
    return made


def shape(rng):
    if rng.random() < 0.05:
        return tuple(rng.choice([1, 1, 1, 2]) for _ in range(rng.randint(10, 20))) + (1,) * 12
    return tuple(rng.choice([0, 1, 2, 3, 10, 123]) for _ in range(rng.randint(0, 3)))


def native(d):
    """d.isnative, which before numpy 1.20 did not look into sub-arrays."""
    if d.names is not None:
        return all(native(d.fields[n][0]) for n in d.names)
    return d.base.isnative if d.base.names is None else native(d.base)


def meaning(text):
    """Return a str(dtype) and what numpy makes of it, which need not be the same.

    The text of an aligned record within another does not show its gaps.
    """
    if text[0] not in "[{(":
        return [text, parsed(text)]
    try:
        return [text, repr(npy.dtype_to_descr(numpy.dtype(eval(text))))]
    except ValueError:  # the offsets do not fit 'aligned': True
        return [text, ""]


def headers(seed, n):
    """Return n random dtypes and shapes with the headers that numpy writes."""
    rng = random.Random(seed)
    made = []
    while len(made) < n:
        # As a file has it: without the flag of alignment.
        original = dtype(rng)
        d = npy.descr_to_dtype(npy.dtype_to_descr(original))
        array = numpy.empty(shape(rng), d, order=rng.choice("CF"))
        d = array.dtype  # numpy 2.5 makes ">M8" without a unit native
        f = io.BytesIO()
        npy.write_array_header_1_0(f, npy.header_data_from_array_1_0(array))
        made.append(
            [f.getvalue(), repr(npy.dtype_to_descr(d)), str(d), d.itemsize]
            + [list(array.shape), array.flags.fnc, array.nbytes, list(array.strides), native(d)]
            + meaning(str(original))
        )
    return made


def read(header):
    """Return what a header means to numpy, or why it means nothing."""
    try:
        f = io.BytesIO(header)
        s, fortran, d = _read_array_header(f, npy.read_magic(f))
        return [repr(npy.dtype_to_descr(d)), list(s), fortran, f.tell(), d.itemsize]
    except Exception as error:
        return repr(error)


def same(a, b):
    """Report whether b has the numbers of a, each in the machine's byte order."""
    if a.dtype.names is not None:
        return all(same(a[n], b[n]) for n in a.dtype.names)
    # astype does not turn ">M8" without a unit in numpy 1.26 and later.
    return (a if a.dtype.isnative else a.byteswap()).tobytes() == b.tobytes()


def turned(descr, data, after):
    """Report whether after is data with its numbers in the machine's byte order."""
    d = npy.descr_to_dtype(eval(descr))
    native = d.newbyteorder("=")
    return same(numpy.frombuffer(data, d), numpy.frombuffer(after, native))


def parsed(text):
    """Return the descr of what np.dtype makes of a text, which is not a record."""
    return repr(npy.dtype_to_descr(numpy.dtype(text)))


def half(singles):
    """Return the bytes of float16s made of the bytes of float32s."""
    with numpy.errstate(all="ignore"):
        return numpy.frombuffer(singles, "=f4").astype("=f2").tobytes()


def single(halves):
    return numpy.frombuffer(halves, "=f2").astype("=f4").tobytes()


def load(path):
    """Open a file as its readers do."""
    array = numpy.load(path, mmap_mode="r+")
    return [repr(npy.dtype_to_descr(array.dtype)), list(array.shape), array.flags.fnc, array.nbytes]
