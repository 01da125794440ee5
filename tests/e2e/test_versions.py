# SPDX-License-Identifier: MIT
# necropy: every interpreter that is at hand, release and debug, at home and in other roots; allocators; odd moments.
"""The interpreters of dump.interpreters(ALL, roots=True): set NECROPY_ROOTS to folders with other distributions in them
(debootstrapped, with python3.X, python3.X-dbg and libc6-dbg; chroot needs root).  What is not there is named."""
import collections
import re
import sys
import time
import unittest

import support
import test_exactness
import test_scenarios
from support import compare, dump

ALL = tuple((3, minor) for minor in range(8, 16))
OLD = ((3, 7),)  # the zoo's own syntax is newer
LEAST = 0.9999
JUNK = 500  # moments.py's COUNT
ALLOCATORS = ("malloc", "debug", "mimalloc")
WITH_ALLOCATORS = ((3, 8), (3, 11), (3, 14), (3, 15))  # the zoo takes its time
MOMENTS = {  # what must be in the export besides what the truth knows: objects by the last part of their type's name
    "callback": {"Junk": JUNK},
    "finalizer": {"Junk": 2 * JUNK, "Dying": 1},  # on a list of the collector's own, known to nobody else
    "exiting": {"Junk": JUNK},
    "ending": {"Junk": JUNK, "Dying": 1},
    "starting": {},
    "forked": {"Junk": JUNK},
    "running": {"Junk": JUNK},
    "several": {"Other": 2 * JUNK},
}


def free_threaded(python):
    return bool(re.search(r"\dtd?$", python.path))


def figures_of(self, python, program, how="kernel", arguments=(), env=None, least=LEAST):
    """Dump, export, compare; the export's objects."""
    living = support.Living(program, arguments, python=python.path, truth=True, env=env)
    self.addCleanup(living.close)
    try:
        core = living.dump(how)
    except dump.Skip as why:
        self.skipTest(str(why))
    # Status 4: a collection or a teardown may have been in the middle of something.
    export = self.export(core, living.folder, *support.options_for(python), status=None)
    verdict = compare.compare(compare.Truth(living.truth), export)
    if min(verdict["figures"].values()) < least:
        compare.print_verdict(verdict, sys.stderr)
    for name, value in verdict["figures"].items():
        self.assertGreaterEqual(value, least, name)
    return export


def check_moment(self, python, moment):
    # One code object that the oracle's child itself warms up is larger there (3.8 to 3.10), and the heap is small.
    export = figures_of(self, python, "moments", arguments=[moment], least=0.9998)
    counts = collections.Counter(line["type"].rpartition(".")[2] for line in export.values()
                                 if line.get("source") == "gc-list")
    for name, count in MOMENTS[moment].items():
        self.assertEqual(counts[name], count, name)


def check_threads(self, python, how):
    """Names, frames, lines, locals, as test_scenarios.py has them of the other versions."""
    living, core = self.dumped("threads", python, how)
    report = self.report(core, *support.options_for(python))
    test_scenarios.Threads.check(self, living, report)
    consume = test_scenarios.Threads.locals_of(self, report, "consumer", "consume")
    self.assertEqual({name: local["type"] for name, local in consume.items()}, {
        "source": "queue.Queue", "label": "str", "backlog": "__main__.Backlog", "taken": "list"})
    self.assertFalse(any(thread["holds_gil"] for thread in report["threads"]))
    self.assertEqual(report["python"]["version"], "%d.%d.%d" % python.version)
    self.assertEqual(report["python"]["debug_build"], python.debug)
    self.assertGreater(report["python"]["gc"]["stats"][0]["collections"], 0)


def check_holder(self, python, how):
    """A thread that executes bytecode holds the GIL."""
    living = support.Living("moments", ["running"], python=python.path)
    self.addCleanup(living.close)
    time.sleep(0.5)  # "ready" was said without the GIL
    try:
        core = living.dump(how)
    except dump.Skip as why:
        self.skipTest(str(why))
    report = self.report(core, *support.options_for(python))
    self.assertEqual([thread["holds_gil"] for thread in report["threads"]], [not free_threaded(python)])
    self.assertEqual(report["threads"][0]["frames"][0]["function"].rpartition(".")[2], "spin")


def check_allocator(self, python, allocator):
    figures_of(self, python, "zoo", env={"PYTHONMALLOC": allocator})


class Zoo(support.Case):
    """As test_exactness.py, which has the versions that the other tests use."""


class Moments(support.Case):
    pass


class Threads(support.Case):
    pass


class Allocators(support.Case):
    pass


def add(kind, name, check, python, argument):
    def method(self):
        check(self, python, argument)
    setattr(kind, "test_%s_%s" % (re.sub(r"\W", "_", python.name), name), method)


def populate():
    found, skipped = dump.interpreters(OLD + ALL, roots=True)
    for sentence in skipped:
        print("skipped: " + sentence, file=sys.stderr)
    for version in ALL:
        if not any(python.version[:2] == version for python in found):
            print("skipped: there is no %d.%d with debug information here (see NECROPY_ROOTS)" % version,
                  file=sys.stderr)
    found = support.usual(found)
    newest = {}  # of each minor version, release builds
    for python in found:
        elsewhere = python.root or python.debug
        add(Threads, "kernel", check_threads, python, "kernel")
        add(Threads, "holder", check_holder, python, "kernel")
        if python.version[:2] in ALL and (elsewhere or python.version[:2] not in dump.SUPPORTED):
            add(Zoo, "kernel", test_exactness.check, python, "kernel")
        if not python.debug:
            newest[python.version[:2]] = max(newest.get(python.version[:2], python), python, key=lambda one: one.version)
        for moment in MOMENTS:
            if moment == "several" and python.version < (3, 8):
                continue  # it has no module that makes interpreters
            add(Moments, moment, check_moment, python, moment)
    for python in (newest[version] for version in WITH_ALLOCATORS if version in newest):
        for allocator in ALLOCATORS:
            if allocator == "malloc" and free_threaded(python):
                continue  # it refuses to start
            if allocator != "mimalloc" or python.version >= (3, 13):
                add(Allocators, allocator, check_allocator, python, allocator)


populate()

if __name__ == "__main__":
    unittest.main()
