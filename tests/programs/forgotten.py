# SPDX-License-Identifier: MIT
# necropy: references that C code does not give back, and some that it rightly keeps.
"""FOLDER LISTS STRINGS THINGS INCREFS: the folder has the built forgetful module; 0 each: a healthy process."""
import ctypes
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"), sys.argv[1]]
import forgetful  # noqa: E402
import oracle  # noqa: E402


class Record:
    def __init__(self, number):
        self.number = number
        self.items = [number + 1000000, "record %d" % number, (number, str(number))]


class Kept:
    pass


def deep(count):
    """So that what was forgotten leaves no word on the stack."""
    return sum([len(str(number)) for number in range(count)]) + (deep(count - 1) if count else 0)


records = [Record(number) for number in range(20000)]
shared = {"known": "to Python too"}
things = [forgetful.Thing() for _ in range(100)]
for thing in things:
    thing.owner = [thing]


def main():
    lists, strings, made, increfs = map(int, sys.argv[2:6])
    forgetful.forget_lists(lists)
    forgetful.forget_strings(strings)
    forgetful.forget_things(made)
    function = ctypes.pythonapi.Py_IncRef
    function.argtypes, function.restype = [ctypes.py_object], None
    for _ in range(increfs):
        function(shared)
    forgetful.keep(Kept())
    forgetful.keep_in_heap(Record(-1))
    deep(100)


main()
oracle.hold()
