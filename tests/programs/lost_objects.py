# SPDX-License-Identifier: MIT
# necropy: objects that a C extension forgot to release, which neither the collector nor any object knows.
"""Strings, ints, an untracked tuple of them and a bytes that malloc has, each with a reference too many and no owner.

Writes lost.json into the working directory: their addresses, and sys.getallocatedblocks() shortly before the dump.
"""
import ctypes
import gc
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 1000


def forget(thing):
    """What a C function does that takes a reference and never gives it back."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    return id(thing)


def main():
    lost = {"str": [], "int": [], "tuple": [], "bytes": [], "list": []}
    for number in range(COUNT):
        lost["str"].append(forget("lost-%d" % number))
        lost["int"].append(forget((1 << 70) + number))
        lost["tuple"].append(forget(("in a tuple %d" % number, (1 << 71) + number)))
        lost["list"].append(forget(["in a list %d" % number, (1 << 72) + number]))  # the collector knows these
    for number in range(10):
        lost["bytes"].append(forget(b"%d" % number * 5000))
    gc.collect()  # untracks the tuples
    found = {kind: list(addresses) for kind, addresses in lost.items()}
    text = json.dumps({"lost": found})
    del lost, found
    gc.collect()
    blocks = sys.getallocatedblocks()
    with open("lost.json", "w") as out:
        out.write('{"blocks": %d, %s' % (blocks, text[1:]))
    oracle.hold()


if __name__ == "__main__":
    main()
