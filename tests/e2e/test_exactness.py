# SPDX-License-Identifier: MIT
# necropy: exact on every object and every reference of the zoo, for each interpreter and kind of core.
"""The oracle's figures, the retained sizes by their definition, and the collector's own verdict, from one dump each."""
import json
import os
import random
import sys
import unittest

import support
from support import compare

LEAST = 0.9999
OBJECTS = 150000
SAMPLES = 24


class Reachability:
    """The definition of `retained`, by brute force on the export: roots, less what is lost without one object."""

    def __init__(self, export):
        self.numbers = {address: number for number, address in enumerate(export)}
        self.lines = list(export.values())
        self.addresses = list(export)
        self.next = []
        for line in self.lines:
            targets = []
            for kind in ("referents", "owned", "guess"):
                for text in line.get(kind, ()):
                    number = self.numbers.get(int(text, 16))
                    if number is not None:
                        targets.append(number)
            self.next.append(tuple(set(targets)))
        self.roots = [number for number, line in enumerate(self.lines) if line.get("root")]
        self.alive = self.reach(None)

    def reach(self, without):
        seen = bytearray(len(self.lines))
        if without is not None:
            seen[without] = 1
        pending = [root for root in self.roots if root != without]
        for root in pending:
            seen[root] = 1
        nexts = self.next
        while pending:
            for target in nexts[pending.pop()]:
                if not seen[target]:
                    seen[target] = 1
                    pending.append(target)
        if without is not None:
            seen[without] = 0
        return seen

    def retained(self, number):
        left = self.reach(number)
        return sum(line["size"] for line, was, still in zip(self.lines, self.alive, left) if was and not still)


def check(self, python, how):
    living, core = self.dumped("zoo", python, how, truth=True, collect=True)
    options = support.options_for(python)
    truth, export = compare.Truth(living.truth), self.export(core, living.folder, *options, status=None)
    self.assertGreaterEqual(len(truth.addresses), OBJECTS)
    verdict = compare.compare(truth, export)
    if min(verdict["figures"].values()) < 1:
        print("\n%s, %s:" % (python.name, how), file=sys.stderr)
        compare.print_verdict(verdict, sys.stderr)
    for name, value in verdict["figures"].items():
        with self.subTest(name):
            self.assertGreaterEqual(value, LEAST)
    report = self.report(core, *options, status=None)
    with self.subTest("complete"):
        status, _, err = self.run_necropy("types", core, *options)
        self.assertEqual((status, err), (0, ""))
    with self.subTest("garbage"):
        with open(living.collect) as source:
            said = json.load(source)
        self.assertEqual(report["garbage"]["objects"], said["collect"])
        self.assertEqual(sum(bool(line.get("garbage")) for line in export.values()
                             if line.get("source") == "gc-list"), said["collect"])
    with self.subTest("counts"):
        self.assertEqual(report["coverage"]["objects"], len(export))
        # A report that was cut says so elsewhere; the types sum to the objects.
        self.assertEqual(sum(row["count"] for row in report["types"]), len(export))
    with self.subTest("retained"):
        check_retained(self, export)


def check_retained(self, export):
    graph = Reachability(export)
    alive = [number for number, seen in enumerate(graph.alive) if seen]
    self.assertGreater(len(alive), OBJECTS)
    biggest = sorted(alive, key=lambda number: -graph.lines[number]["retained"])[:SAMPLES // 2]
    wrong = []
    for number in biggest + random.Random(7).sample(alive, SAMPLES // 2):
        line, wanted = graph.lines[number], graph.retained(number)
        if line["retained"] != wanted:
            wrong.append("%s %s: %d, by definition %d" % (line["address"], line["type"], line["retained"], wanted))
    self.assertEqual(wrong, [])


@support.each_core(check)
class Exactness(support.Case):
    pass


if __name__ == "__main__":
    unittest.main()
