# SPDX-License-Identifier: MIT
# necropy: every block of the heap is accounted for, and objects that nothing refers to are found.
"""The ledger of memory against sys.getallocatedblocks(); objects that C code forgot; allocators of every kind."""
import json
import os
import re
import unittest

import support
from support import dump

ALL = tuple((3, minor) for minor in range(8, 16))
ALLOCATORS = ("pymalloc", "debug", "malloc", "malloc_debug", "mimalloc")
SLACK = 100  # blocks that come and go between the program's own count and the dump
UNKNOWN = 0.01  # of the core
KINDS = {"str": 1000, "int": 1000, "tuple": 1000, "bytes": 10}


def parts_of(report):
    return {row["name"]: row for row in report["memory"]["parts"]}


def check_ledger(self, core, report, truth, allocator):
    memory, parts = report["memory"], parts_of(report)
    self.assertEqual(sum(row["bytes"] for row in memory["parts"]), os.path.getsize(core))
    self.assertEqual(memory["unknown_bytes"], parts.get("unknown", {"bytes": 0})["bytes"])
    self.assertLess(memory["unknown_bytes"], UNKNOWN * memory["bytes"])
    self.assertIsNone(memory["note"])
    if "malloc" in allocator and allocator != "pymalloc":
        self.assertIsNone(memory["python_allocator"])
        return
    blocks = memory["python_allocator"]["used_blocks"] + memory["python_allocator"]["large_blocks"]
    self.assertLess(abs(blocks - truth["blocks"]), SLACK, (blocks, truth["blocks"]))
    objects = parts["Python objects"]
    self.assertGreaterEqual(objects["blocks"], sum(KINDS.values()))
    self.assertGreaterEqual(objects["bytes"], 32 * objects["blocks"])


def check_lost(self, export, truth):
    for kind, count in KINDS.items():
        lines = [export.get(address) for address in truth["lost"][kind]]
        self.assertEqual(len(lines), count)
        self.assertEqual([line["type"] for line in lines if line], [kind] * count)
        self.assertEqual({line["source"] for line in lines}, {"heap-sweep"}, kind)
        self.assertEqual({line["refcount"] for line in lines}, {1}, kind)
        self.assertTrue(all(line.get("root") for line in lines), kind)
    # What a lost object refers to is an object like any other.
    for address in truth["lost"]["tuple"]:
        referents = export[address]["referents"]
        self.assertEqual([export[int(text, 16)]["type"] for text in referents], ["str", "int"])
    # Objects of the collector are not lost to it.
    self.assertEqual({export[address]["source"] for address in truth["lost"]["list"]}, {"gc-list"})


def check(self, python, allocator):
    living = support.Living("lost_objects", python=python.path, env={"PYTHONMALLOC": allocator})
    self.addCleanup(living.close)
    try:
        core = living.dump("kernel" if python.root else "gcore")  # gcore would see another root's files by our paths
    except dump.Skip as why:
        self.skipTest(str(why))
    with open(os.path.join(living._inside, "lost.json")) as source:
        truth = json.load(source)
    options = support.options_for(python)
    check_ledger(self, core, self.report(core, *options), truth, allocator)
    check_lost(self, self.export(core, living.folder, *options), truth)


class Memory(support.Case):
    @unittest.skipUnless(os.uname().machine == "x86_64", "told by a thread's descriptor as x86-64 has it")
    def test_what_tracemalloc_takes_and_stacks_without_threads(self):
        """A thread has ended, whose stack the C library keeps; gdb dumps all of it."""
        living, core = self.dumped("traced", support.pythons(self)[0], arguments=("3", "plain"))
        report = self.report(core)
        parts = parts_of(report)
        said = json.loads(self.necropy("allocations", core, "--json")[0])
        self.assertEqual(parts["tables of tracemalloc"]["bytes"], said["own_bytes"])
        self.assertGreater(parts["stacks of threads that are gone"]["bytes"], 1 << 20)
        self.assertLess(report["memory"]["unknown_bytes"], UNKNOWN * report["memory"]["bytes"])
        self.assertIn("Python's objects", report["memory"]["summary"])


def populate():
    found = support.usual(dump.interpreters(ALL, roots=True)[0])
    for python in found:
        few = python.root or python.debug or python.version[:2] in ((3, 9), (3, 10))
        for allocator in ALLOCATORS[:1] if few else ALLOCATORS:
            if allocator == "mimalloc" and python.version < (3, 13):
                continue

            def method(self, python=python, allocator=allocator):
                check(self, python, allocator)
            setattr(Memory, "test_%s_%s" % (re.sub(r"\W", "_", python.name), allocator), method)


populate()

if __name__ == "__main__":
    unittest.main()
