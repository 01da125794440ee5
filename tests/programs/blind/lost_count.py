# SPDX-License-Identifier: MIT
# necropy: C code that takes a reference to each reply and never gives it back
# expect: {"rule": "surplus|native", "type": "__main__.Reply", "path": null, "count": 2500}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import ctypes  # noqa: E402

take = ctypes.pythonapi.Py_IncRef
take.argtypes, take.restype = [ctypes.py_object], None


class Reply:
    def __init__(self, number):
        self.number = number
        self.text = "reply %d" % number


def send(number):
    reply = Reply(number)
    take(reply)


def depth(count):
    return sum(map(len, map(str, range(count)))) + (depth(count - 1) if count else 0)


for number in range(2500):
    send(number)
depth(100)


oracle.hold()
