import numpy as np
from pyshm_attach import serve


@serve
def double(array):
    array *= 2
    return array.sum()


@serve
def total(*arrays):
    return float(sum(array.sum() for array in arrays))


@serve
def row(array, i):
    return array[i]


@serve
def column(array, i):
    return array[:, i]


@serve
def double_all(groups):
    for group in groups:
        for array in group.values():
            array *= 2
    return groups


@serve
def discount(ticks):
    ticks["price"] /= 2
    return ticks[1:], ticks.dtype.names


@serve
def make(shape, dtype):
    return np.arange(np.prod(shape)).astype(dtype).reshape(shape)


@serve
def scalars():
    return [np.float32(0.5), np.int64(7), np.bool_(True), np.str_("x"), {"y": np.uint8(3)}]


@serve
def mean(array):
    return float(np.mean(array)), str(array.dtype), array.shape


@serve
def bump(block, items):
    block.buf[1] += 1
    items[0] += 1


@serve
def echo(*values):
    return values


serve()
