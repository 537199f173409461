from struct import Struct
from typing import NamedTuple

record_format = Struct("<qdB15s")


class Reading(NamedTuple):
    sensor: str
    at: int
    value: float


def encode(reading):
    name = reading.sensor.encode()
    if len(name) > 15:
        raise ValueError("the sensor's name %r has more than 15 bytes" % reading.sensor)
    return record_format.pack(reading.at, reading.value, len(name), name)


def decode(record):
    at, value, n, name = record_format.unpack(record)
    if n > 15:
        raise ValueError("the sensor's name has %d bytes, and not at most 15" % n)
    return Reading(name[:n].decode(), at, value)
