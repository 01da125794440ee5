# SPDX-License-Identifier: MIT
# necropy: is the oracle itself to be believed?  Its truth against the raw bytes of the same process's core.
"""The parent must not have changed while the child wrote: ob_type, tuples and lists are read from the core by hand."""
import bisect
import mmap
import re
import struct
import unittest

import support
from support import compare, dump


class RawCore:
    """Just enough of an ELF core: 64-bit little-endian words by address."""

    def __init__(self, path):
        with open(path, "rb") as source:
            self.bytes = mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ)
        offset, size, count = struct.unpack_from("<Q14xHH", self.bytes, 32)
        rows = [struct.unpack_from("<IIQQQQ", self.bytes, offset + size * index) for index in range(count)]
        self.loads = sorted((row[3], row[2], row[5]) for row in rows if row[0] == 1 and row[5])
        self.starts = [load[0] for load in self.loads]

    def words(self, address, count):
        start, offset, size = self.loads[bisect.bisect_right(self.starts, address) - 1]
        if address + 8 * count > start + size:
            raise KeyError(hex(address))
        return struct.unpack_from("<%dQ" % count, self.bytes, offset + address - start)


class Oracle(support.Case):
    def check(self, python):
        with support.Living("zoo", python=python.path, truth=True) as living:
            core = RawCore(living.gcore())
            truth = compare.Truth(living.truth)
        self.assertGreater(len(truth.addresses), 150000)
        header = 32 if re.search(r"\dtd?$", python.path) else 16  # free-threaded: two counts and an owner
        type_of, wrong, checked = {}, [], 0
        for (address, name, _, _, referents), ordinal in zip(truth, truth.ordinals):
            kind, = core.words(address + header - 8, 1)
            if type_of.setdefault(ordinal, kind) != kind:
                wrong.append("%s at %#x has another ob_type" % (name, address))
            if name == "tuple" or name == "list":
                count, first = core.words(address + header, 2)
                start = address + header + 8 if name == "tuple" else first
                items = core.words(start, count) if count else ()
                checked += 1
                if sorted(item for item in items if item) != sorted(referents):
                    wrong.append("%s at %#x has other items" % (name, address))
        self.assertGreater(checked, 10000)
        self.assertEqual(wrong[:20], [])

    def test_truth_is_the_parents(self):
        for python in support.pythons(self):
            with self.subTest(python.name):
                self.check(python)


if __name__ == "__main__":
    unittest.main()
