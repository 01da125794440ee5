# SPDX-License-Identifier: MIT
# necropy: the same few values again and again: texts, bytes and tuples.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 20000
LINE = b"open;closed;delivered;returned to the sender"


class Parcel:
    __slots__ = ("state", "code", "place")


def read(number):
    parcel = Parcel()
    parcel.state = LINE.split(b";")[number % 4].decode() + " by the carrier, says the depot"
    parcel.code = bytes(bytearray(b"PARCEL/EUROPE/%d" % (number % 3)))
    parcel.place = tuple([52, 4, "depot %d" % (number % 5)])
    return parcel


parcels = [read(number) for number in range(COUNT)]
oracle.hold()
