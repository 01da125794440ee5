# SPDX-License-Identifier: MIT
# necropy: which lines allocated what, against tracemalloc's own statistics of the same process: the same to the byte.
"""programs/traced.py says how the truth is told.  Interpreters: those of dump.interpreters(3.8 to 3.15, roots=True), of which
a usual run takes the first, the oldest, and one of each form that the tables have had; NECROPY_FULL=1 takes all."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import support
from support import dump

ALL = tuple((3, minor) for minor in range(8, 16))
FORMS = ((3, 8), (3, 11), (3, 12), (3, 13), (3, 14), (3, 15))
GROUPS = ("lineno", "filename", "traceback")
SOURCES = ((), ("--ignore-debug-info",))
SURROGATES = re.compile("[\ud800-\udfff]")


def printable(text):
    """What necropy writes of a text that UTF-8 cannot say."""
    return SURROGATES.sub("\ufffd", text)


def found():
    every = dump.interpreters(supported=ALL, roots=bool(os.environ.get("NECROPY_ROOTS")))[0]
    if support.SMALL or support.FULL:
        return every[:1] if support.SMALL else every
    some = {}
    for index, python in enumerate(every):
        form = python.version[:2]
        if not index or (form in FORMS and not python.debug and form not in some):
            some.setdefault(form, python)
    return list(some.values())


class Allocations(support.Case):
    def traced(self, python, arguments, how):
        arguments += ("crash",) if how == "kernel" else ()
        living, core = self.dumped("traced", python, how, arguments=arguments, truth=True)
        with open(living.truth) as source:
            return json.load(source), core

    def allocations(self, core, *options, status=0):
        return json.loads(self.necropy("allocations", core, "--json", *options, status=status)[0])

    def check_statistics(self, truth, core, options):
        for group in GROUPS:
            with self.subTest(group=group, options=options):
                made = self.allocations(core, "--group", group, *options)
                wanted = [[size, count, [[printable(name), line] for name, line in frames]]
                          for _, size, count, frames in truth["statistics"][group]]
                got = [[row["size"], row["count"], [[frame["file"], frame["line"]] for frame in row["traceback"]]]
                       for row in made["statistics"]]
                self.assertEqual(got, wanted)
                self.assertEqual(made["traced_bytes"], truth["size"])
                self.assertEqual((made["blocks"], made["count"], made["size"]),
                                 (truth["count"], truth["count"], truth["size"]))
                self.assertEqual((made["tracing"], made["note"], made["damaged"]), (True, None, 0))
                self.assertEqual(made["max_frames"], truth["limit"])
                self.assertEqual(made["group"], group)
                self.assertGreaterEqual(made["peak_bytes"] or truth["size"], truth["size"])  # None: not known
                self.assertAlmostEqual(made["own_bytes"] / truth["own"], 1, delta=0.5)

    def check_text(self, truth, core, options):
        for group in GROUPS:
            lines = self.necropy("allocations", core, "--group", group, *options)[0].splitlines()
            place = lines.index("") + 1
            rows = [line for line in lines[place:] if not line.startswith("  File ")]
            self.assertEqual(rows, [printable(row[0]) for row in truth["statistics"][group]])
            frames = [line for line in lines[place:] if line.startswith("  File ")]
            wanted = [] if group != "traceback" else [
                '  File "%s", line %d' % (printable(name), line)
                for row in truth["statistics"][group] for name, line in row[3]]
            self.assertEqual(frames, wanted)
        top = self.necropy("allocations", core, "--limit", 2, *options)[0]
        self.assertIn("… %d more" % (len(truth["statistics"]["lineno"]) - 2), top)

    def check_objects(self, python, truth, core, options):
        """`show` and tracemalloc.get_object_traceback() agree."""
        known = 0
        for address, frames in truth["objects"].items():
            shown = json.loads(self.necropy("show", core, address, "--json", *options)[0])
            own = [block for block in shown["allocated"] if block["what"] == "object"]
            if frames is None and python.version[:2] == (3, 11) and own and shown["type"].endswith("Plain"):
                continue  # 3.11 looks for such objects in the wrong place itself (see findings/allocated.c)
            traceback = [[frame["file"], frame["line"]] for frame in own[0]["traceback"]] if own else None
            self.assertEqual(traceback, frames, "%s %s" % (address, shown["type"]))
            known += own != []
            if known == 1 and own:
                text = self.necropy("show", core, address, *options)[0]
                self.assertIn("allocated", text)
                self.assertIn("%s:%d" % tuple(frames[-1]), re.sub(r"\n\s+", " ", text))
        self.assertGreater(known, 6)

    def check_types(self, truth, core, options):
        made = self.allocations(core, "--type", "Slotted", *options)
        site = [row for row in made["statistics"] if row["traceback"][0]["line"] == truth["make"]]
        self.assertEqual((made["objects"], made["untraced"], len(made["statistics"])), (2000 + 40 + 50, 50, 1))
        self.assertEqual((site[0]["count"], made["count"]), (2040, 2040))
        report = self.report(core, *options)
        said = [line for finding in report["findings"] for line in finding["evidence"] if "allocated at" in line]
        about = [finding for finding in report["findings"] if (finding["type"] or "").endswith("Slotted")]
        for finding in about:
            line = [line for line in finding["evidence"] if "allocated at" in line]
            self.assertEqual(len(line), 1, finding)
            self.assertRegex(line[0], r"^(all|most) .*traced\.py:%d\b" % truth["make"])
        self.assertTrue(about and said)

    def check(self, python, depth, how, arguments=()):
        truth, core = self.traced(python, (depth,) + arguments, how)
        self.assertEqual(truth["limit"], depth)
        places = support.options_for(python)
        for source in SOURCES:
            self.check_statistics(truth, core, places + source)
        self.check_text(truth, core, places)
        self.check_objects(python, truth, core, places)
        self.check_types(truth, core, places)

    def test_versions(self):
        pythons = found()
        if not pythons:
            self.skipTest("no Python with debug information (Debian: python3-dbg)")
        for python in pythons:
            for depth in (25,) if support.SMALL else (1, 25):
                with self.subTest(python.name, depth=depth):
                    self.check(python, depth, "kernel" if python.root else "gcore")

    def test_keys_without_domains(self):
        """3.8 has another form of key as long as all memory is Python's."""
        for python in [python for python in found() if python.version[:2] == (3, 8)]:
            self.check(python, 3, "gcore", ("plain",))

    def test_off(self):
        """Nobody wrote anything down: one sentence, no complaint."""
        for python in found()[:None if support.FULL else 2]:
            with self.subTest(python.name):
                core = self.dumped("lost_objects", python, "kernel" if python.root else "gcore")[1]
                options = support.options_for(python)
                out, err = self.necropy("allocations", core, *options)
                self.assertEqual((len(out.strip().split(". ")), err), (1, ""))
                self.assertRegex(out, "^tracemalloc was not on")
                self.assertIn("PYTHONTRACEMALLOC", out)
                made = self.allocations(core, *options)
                self.assertEqual((made["tracing"], made["statistics"], made["blocks"]), (False, [], 0))
                self.assertNotIn("allocated at", self.necropy("report", core, *options)[0])

    def test_usage(self):
        err = self.necropy("allocations", "/dev/null", "--group", "size", status=2)[1]
        self.assertIn("lineno, filename or traceback", err)

    def test_stripped(self):
        """Up to 3.11 the tables are found by what is in them where the symbols are gone."""
        if not shutil.which("strip"):
            self.skipTest("strip (package binutils) is not installed")
        tried = False
        for python in found():
            library = self.library_of(python)
            if not library or python.version > (3, 12):
                continue
            tried = True
            folder = tempfile.TemporaryDirectory(prefix="necropy-stripped-")
            self.addCleanup(folder.cleanup)
            copy = os.path.join(folder.name, os.path.basename(library))
            subprocess.run(["strip", "--strip-all", "-o", copy, library], check=True)
            with self.subTest(python.name):
                living = support.Living("traced", [4], python=python.path, truth=True, env={"LD_PRELOAD": copy})
                self.addCleanup(living.close)
                try:
                    core = living.dump("gcore")
                except dump.Skip as why:
                    self.skipTest(str(why))
                with open(living.truth) as source:
                    self.check_statistics(json.load(source), core, ())
        if not tried:
            self.skipTest("no Python up to 3.11 that has its interpreter in a library")

    def library_of(self, python):
        if python.root:
            return None
        path = dump._probe(python.path)[2]
        # One with a debug file of its own elsewhere would be told by that.
        return path if path and os.path.exists(path) and ".debug_info" in dump._elf_sections(path)[0] else None


if __name__ == "__main__":
    unittest.main()
