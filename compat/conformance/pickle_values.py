"""Random values, and how to compare them: the Python half of the pickle tests.

It is executed as the module pyshm_pickle_values, so that its classes have a name
under which pickle finds them.
"""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import pickle
import random
import struct
import sys
import uuid

# ---- classes ----


@dataclasses.dataclass
class Data:
    a: object
    b: object = "x"


Named = collections.namedtuple("Named", "x y")


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class Number(enum.IntEnum):
    ONE = 1


class Access(enum.Flag):
    R = 1
    W = 2


class Slots:
    __slots__ = ("a", "b")


class SlotsAndDict(Slots):
    pass


class ListOf(list):
    pass


class DictOf(dict):
    pass


class SetOf(set):
    pass


class StrOf(str):
    pass


class IntOf(int):
    pass


class BytesOf(bytes):
    pass


class TupleOf(tuple):
    pass


class Outer:
    class Inner:
        pass


class Keywords:
    """Made by __new__ with keyword arguments."""

    def __new__(cls, a, *, b):
        self = object.__new__(cls)
        self.a, self.b = a, b
        return self

    def __getnewargs_ex__(self):
        return (self.a,), {"b": self.b}

    def __getstate__(self):
        return None


class Stateful:
    """Has a state other than a dict."""

    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return [self.state]

    def __setstate__(self, state):
        (self.state,) = state


def made_by_function(a, b):
    return Reduced(a, b)


class Reduced:
    def __init__(self, a, b):
        self.a, self.b = a, b

    def __reduce__(self):
        return made_by_function, (self.a, self.b)


def set_state(obj, state):
    obj.a = state[0]


class SetByFunction:
    """Has its state set by a function: the sixth item that __reduce__ may return."""

    def __reduce_ex__(self, protocol):
        return SetByFunction, (), (self.a,), None, None, set_state


class MyError(ValueError):
    pass


def factory():
    return []


# ---- random values ----


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []  # values to refer to again

    def value(self, depth=4):
        r = self.random
        if self.made and r.random() < 0.15:
            return r.choice(self.made)
        if depth == 0 or r.random() < 0.4:
            value = self.scalar()
        elif r.random() < 0.75:
            value = self.container(depth - 1)
        else:
            value = self.object(depth - 1)
        self.made.append(value)
        return value

    def values(self, depth):
        return [self.value(depth) for _ in range(self.random.choice((0, 1, 1, 2, 3, 4, 7)))]

    def key(self, depth=2):
        kind = self.random.randrange(10)
        if depth and kind == 0:
            return tuple(self.key(depth - 1) for _ in range(self.random.randrange(4)))
        if depth and kind == 1:
            return frozenset(self.key(depth - 1) for _ in range(self.random.randrange(4)))
        while True:
            key = self.scalar()
            nan = key.is_nan() if isinstance(key, decimal.Decimal) else key != key
            if not nan and not isinstance(key, bytearray):
                return key

    def keys(self):
        return [self.key() for _ in range(self.random.choice((0, 1, 2, 3, 5, 12)))]

    def scalar(self):
        return getattr(self, self.random.choice(self.SCALARS))()

    SCALARS = ("constant", "int", "int", "float", "str", "str", "bytes", "bytearray", "complex")
    SCALARS += ("decimal", "date", "time", "datetime", "timedelta")

    def constant(self):
        return self.random.choice((None, True, False))

    def int(self):
        r = self.random
        n = r.getrandbits(r.choice((1, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 200, 2040, 2100)))
        return r.choice((n, -n, n + 1, ~n))

    def float(self):
        r = self.random
        return r.choice(
            (
                0.0,
                -0.0,
                1.5,
                r.random(),
                float(r.randrange(1000)),
                float("inf"),
                float("-inf"),
                float("nan"),
                struct.unpack("<d", struct.pack("<Q", r.getrandbits(64)))[0],
            )
        )

    def complex(self):
        return complex(self.random.choice((0.0, -0.0, 2.0, 0.5)), self.random.choice((0.0, -0.0, 1.25)))

    def str(self):
        r = self.random
        alphabet = r.choice(
            (
                "abc",
                "a'\"\\\n\r\t\0\x1a\x7f",
                "\u00e9\u00df\xa0",
                "\u20ac\u6f22",
                "\U0001f600\U0010ffff",
                "a\udc80\udfff\ud800",
            )
        )
        return "".join(r.choice(alphabet) for _ in range(self.length()))

    def bytes(self):
        return bytes(self.random.getrandbits(8) for _ in range(self.length()))

    def bytearray(self):
        return bytearray(self.bytes())

    def length(self):
        r = self.random
        return r.choice((0, 1, 2, 5, 15, 16, 17, 40, 255, 256, 300)) if r.random() < 0.9 else r.randrange(2000)

    def decimal(self):
        r = self.random
        return decimal.Decimal(
            r.choice(
                (
                    "0",
                    "-0",
                    "1.50",
                    "1",
                    "NaN",
                    "-Infinity",
                    "sNaN12",
                    "1E+30",
                    "-1E-7",
                    "12345678901234567890.5",
                    "0E-10",
                    "%d.%d" % (r.randrange(100), r.randrange(100)),
                )[: 4 if r.random() < 0.5 else None]
            )
        )

    def date(self):
        return datetime.date.fromordinal(self.random.randint(1, datetime.date.max.toordinal()))

    def zone(self):
        r = self.random
        offset = datetime.timedelta(seconds=r.choice((0, 3600, -18000, 19800, 1, 86399, -86399)))
        return r.choice(
            (
                None,
                None,
                datetime.timezone.utc,
                datetime.timezone(offset),
                datetime.timezone(offset, "X"),
                datetime.timezone(offset, ""),
                datetime.timezone(datetime.timedelta(microseconds=r.randrange(10**9))),
            )
        )

    def time(self):
        r = self.random
        return datetime.time(
            r.randrange(24),
            r.randrange(60),
            r.randrange(60),
            r.choice((0, 1, 999999)),
            self.zone(),
            fold=r.randrange(2),
        )

    def datetime(self):
        t = self.time()
        if self.random.random() < 0.8:
            t = t.replace(fold=0)
        return datetime.datetime.combine(self.date(), t)

    def timedelta(self):
        r = self.random
        days = r.choice((0, 0, 1, -1, 106751, 106752, -106752, 999999999, -999999999, r.randrange(10**6)))
        return datetime.timedelta(days, r.randrange(86400), r.randrange(10**6))

    def container(self, depth):
        kind = self.random.randrange(6)
        if kind == 0:
            return tuple(self.values(depth))
        if kind == 1:
            return {key: self.value(depth) for key in self.keys()}
        if kind == 2:
            return set(self.keys())
        if kind == 3:
            return frozenset(self.keys())
        if kind == 4 and self.random.random() < 0.05:
            return [self.int() for _ in range(2500)]
        return self.values(depth)

    def object(self, depth):
        return self.random.choice(self.OBJECTS)(self, lambda: self.value(depth))

    def attributes(self, obj, value):
        for name in ("a", "b")[: self.random.randrange(3)]:
            setattr(obj, name, value())
        return obj

    OBJECTS = [
        lambda g, v: Data(v(), v()),
        lambda g, v: Named(v(), v()),
        lambda g, v: g.random.choice(list(Color)),
        lambda g, v: Number.ONE,
        lambda g, v: Access.R | Access.W,
        lambda g, v: g.attributes(Slots(), v),
        lambda g, v: g.attributes(SlotsAndDict(), v),
        lambda g, v: g.attributes(ListOf([v(), v()]), v),
        lambda g, v: g.attributes(DictOf({g.key(): v()}), v),
        lambda g, v: g.attributes(SetOf(g.keys()), v),
        lambda g, v: StrOf(g.str()),
        lambda g, v: IntOf(g.int()),
        lambda g, v: BytesOf(g.bytes()),
        lambda g, v: TupleOf((v(), v())),
        lambda g, v: g.attributes(Outer.Inner(), v),
        lambda g, v: Stateful(v()),
        lambda g, v: Reduced(v(), v()),
        lambda g, v: g.random.choice((MyError, KeyError, OSError))(2, v()),
        lambda g, v: collections.OrderedDict([(g.key(), v()), (g.key(), v())]),
        lambda g, v: collections.defaultdict(factory, {g.key(): v()}),
        lambda g, v: collections.deque([v(), v()], 5),
        lambda g, v: collections.Counter("hello"),
        lambda g, v: fractions.Fraction(1, 3),
        lambda g, v: uuid.UUID(int=g.random.getrandbits(128)),
        lambda g, v: range(1, 10, 2),
        lambda g, v: slice(None, v(), 2),
        lambda g, v: g.random.choice((..., NotImplemented, int, Data, Outer.Inner, factory, len, KeyError)),
        lambda g, v: pathlib.PurePosixPath("/a/b"),
        lambda g, v: array.array("i", [1, 2, 3]),
        lambda g, v: functools.partial(factory, v()),
        lambda g, v: {Color.RED: v(), Named(1, 2): v(), uuid.UUID(int=1): v()},
    ]


class NewObjEx(Generator):
    """Adds values that protocols 0 and 1 cannot pickle, or not in every version."""

    OBJECTS = Generator.OBJECTS + [
        lambda g, v: Keywords(v(), b=v()),
        lambda g, v: Set6(v()),
    ]


def Set6(value):
    obj = SetByFunction()
    obj.a = (value,)
    return obj


# ---- comparison ----


class Different(Exception):
    pass


def same(a, b):
    """Raise Different unless a and b are alike in every bit, types, order and shared references included."""
    twins, backwards = {}, {}

    def check(condition, a, b):
        if not condition:
            raise Different("%.300s is not %.300s" % (ascii(a), ascii(b)))

    def compare(a, b):
        check(type(a) is type(b), a, b)
        kind = type(a)
        if kind in (type(None), bool, int, str, bytes, type(...), type(NotImplemented)):
            return check(a == b, a, b)
        if kind is float:
            return check(struct.pack("<d", a) == struct.pack("<d", b), a, b)
        if kind is complex:
            return compare((a.real, a.imag), (b.real, b.imag))
        if kind is decimal.Decimal:
            return check(str(a) == str(b), a, b)
        if kind in (datetime.timezone, datetime.timedelta):
            return check(repr(a) == repr(b), a, b)  # even if it is written more than once
        if isinstance(a, type) or (callable(a) and kind is not functools.partial):
            return check(a is b, a, b)
        if kind not in (tuple, frozenset, datetime.date, datetime.time, datetime.datetime):
            if id(a) in twins:
                return check(twins[id(a)] is b, a, b)
            check(id(b) not in backwards, a, b)
            twins[id(a)], backwards[id(b)] = b, a
        if kind in (list, tuple):
            check(len(a) == len(b), a, b)
            for x, y in zip(a, b):
                compare(x, y)
        elif kind is dict:
            check(len(a) == len(b), a, b)
            for (k, x), (m, y) in zip(a.items(), b.items()):
                compare(k, m)
                compare(x, y)
        elif kind in (set, frozenset):
            check(a == b, a, b)
        elif kind is bytearray:
            check(a == b, a, b)
        elif kind in (datetime.date, datetime.time, datetime.datetime):
            check(repr(a) == repr(b), a, b)
            if isinstance(a, datetime.date) is False or isinstance(a, datetime.datetime):
                check(a.fold == b.fold, a, b)
        elif kind is array.array:
            check(a == b and a.typecode == b.typecode, a, b)
        else:
            reduced, other = a.__reduce_ex__(4), b.__reduce_ex__(4)
            if isinstance(reduced, str):
                return check(a is b, a, b)
            check(len(reduced) == len(other), a, b)
            for x, y in zip(reduced, other):
                if hasattr(x, "__next__"):
                    x, y = list(x), list(y)
                KEEP.extend((x, y))
                compare_part(x, y)

    def compare_part(x, y):
        # Tuples, lists and dicts that __reduce_ex__ makes anew each time.
        if type(x) is type(y) and type(x) in (tuple, list) and len(x) == len(y):
            for one, other in zip(x, y):
                compare_part(one, other) if type(one) in (tuple,) else compare(one, other)
        else:
            compare(x, y)

    compare(a, b)
    KEEP.clear()


KEEP = []  # keeps compared values alive, so that no id occurs twice

# ---- functions that Go calls ----

kept = []


def generate(seed, count):
    """Return the pickles of random values in every protocol, and keep what this Python reads from them."""
    kept.clear()
    pickles = []
    for i in range(count):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            generator = (NewObjEx if protocol >= 4 else Generator)("%d %d %d" % (seed, i, protocol))
            value = generator.value()
            try:
                dumped = pickle.dumps(value, protocol)
            except TypeError as error:
                if "__slots__" in str(error) or "a class that defines" in str(error):
                    continue  # protocols 0 and 1 cannot pickle the value
                raise
            try:
                kept.append(pickle.loads(dumped))  # up to protocol 3, pickle itself loses the fold of a time
            except ValueError:
                if "PyPy" in sys.version and protocol == 0:
                    continue  # PyPy 8 does not read the inf and nan that it writes
                raise
            pickles.append(dumped)
    return pickles


def verify(*returned):
    """Compare pickles that were written again with the values of the first ones."""
    wrong = []
    for i, (value, dumped) in enumerate(zip(kept, returned)):
        try:
            same(value, pickle.loads(dumped))
        except Exception as error:
            wrong.append([i, "%s: %s" % (type(error).__name__, ascii(str(error))[:1000])])
    return wrong


def repeat(*dumped):
    """Return each of some pickles in every protocol of this Python's own."""
    return [
        [pickle.dumps(value, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
        for value in map(pickle.loads, dumped)
    ]


def comparisons(seed, count):
    """Return pickles of two keys each, whether they are equal, and whether one finds the other."""
    r = random.Random(seed)
    generator = Generator(seed)
    result = []
    for _ in range(count):
        a = r.choice((generator.key(), number(r)))
        b = r.choice((a, generator.key(), number(r), number(r)))
        if r.random() < 0.2:
            a, b = (a, 1), (b, True)
        try:
            equal = bool(a == b)
            found = b in {a: 1} and not (a is b and a != a)
        except decimal.InvalidOperation:  # a signalling NaN
            continue
        result.append([pickle.dumps(a, 4), pickle.dumps(b, 4), equal, found])
    return result


def number(r):
    """Return a number, which is likely to equal others from this function."""
    n = r.choice(
        (0, 1, 2, 3, -1, 2**53, 2**53 + 1, 2**63, 2**63 - 1, -(2**63), 2**64, 10**22, 10**30, -(10**30), 10**400)
    )
    kind = r.randrange(7)
    if kind == 0:
        return n
    if kind == 1:
        return float(min(n, 2**1000)) * r.choice((1.0, 0.5, 0.1))
    if kind == 2:
        return complex(min(n, 2**1000), r.choice((0, 0, 1)))
    if kind == 3:
        return decimal.Decimal(n).scaleb(r.choice((0, 0, -1))) if abs(n) < 10**20 else decimal.Decimal(n)
    if kind == 4:
        return decimal.Decimal(float(min(n, 2**1000)) * r.choice((1.0, 0.5, 0.1)))
    if kind == 5:
        return decimal.Decimal(
            r.choice(("1.0", "1.00", "10E-1", "0.5", "-0.0", "1E+22", "Infinity", "1E+999999", "0.1"))
        )
    return r.choice((True, False, float("inf"), -0.0, 0.5, 0.1))
