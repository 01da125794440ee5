# SPDX-License-Identifier: MIT
# necropy: exact without debug information: ignored, stripped from every file, and with no file at all.
"""One process and one core for each version; what is taken away is taken away from the analysis, not from the process."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

import support
from support import compare, dump

MINORS = ((3, 8), (3, 11), (3, 13), (3, 14), (3, 15))
LEAST = 0.999
# With no file of the dead machine: read-only data (names, documentation) and code are gone.
ALONE = {"object recall": 0.98, "type match": 0.99, "size match": 0.99, "reference recall": 0.97,
         "reference precision": 0.98}


def pythons():
    """{name: path}: the first interpreter of each version, debug builds apart; debug information is not needed."""
    found = {}
    for path in dump._candidates() + dump._candidates_in_roots():
        try:
            out = dump._probe(path)
        except (OSError, subprocess.SubprocessError):
            continue
        minor = tuple(int(number) for number in out[0].split()[:2])
        if minor in MINORS:
            found.setdefault("%d_%d%s" % (minor + ("_debug" if path.endswith("d") else "",)), path)
    return found


def strip(paths, sysroot):
    """Copies of files under a sysroot, without symbols and debug information."""
    for path in paths:
        copy = sysroot + path
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        if subprocess.run(["strip", "--strip-all", "-o", copy, path], stderr=subprocess.DEVNULL).returncode:
            shutil.copy(path, copy)


def mapped(pid):
    with open("/proc/%d/maps" % pid) as maps:
        names = {line.split(None, 5)[5].rstrip("\n") for line in maps if line.count("/")}
    return sorted(name for name in names if os.path.isfile(name))


def check(self, path):
    living = dump.Living("zoo", python=path, truth=True)
    self.addCleanup(living.close)
    try:
        files, core = mapped(living.pid), living.dump("gcore")
    except dump.Skip as why:
        self.skipTest(str(why))
    truth = compare.Truth(living.truth)
    sysroot = tempfile.TemporaryDirectory(prefix="necropy-stripped-")
    self.addCleanup(sysroot.cleanup)
    strip(files, sysroot.name)
    for name, options, least in (("ignored", ["--ignore-debug-info"], dict.fromkeys(ALONE, LEAST)),
                                 ("stripped", ["--sysroot", sysroot.name], dict.fromkeys(ALONE, LEAST)),
                                 ("alone", ["--sysroot", "/nonexistent"], ALONE)):
        with self.subTest(name):
            check_figures(self, truth, core, living.folder, name, options, least)
    check_layout(self, core, ["--sysroot", sysroot.name])


def check_figures(self, truth, core, folder, name, options, least):
    path = os.path.join(folder, name + ".ndjson")
    self.necropy("export", core, "--format", "ndjson", "-o", path, *options, status=None)
    verdict = compare.compare(truth, compare.read_export(path))
    print("\n%s: %s" % (name, ", ".join("%s %.6f" % item for item in verdict["figures"].items())), file=sys.stderr)
    for figure, value in verdict["figures"].items():
        self.assertGreaterEqual(value, least[figure], figure)


def check_layout(self, core, options):
    """The same values from every source, and each field says which one served."""
    layout = json.loads(self.necropy("layout", core, "--json", *options)[0])
    self.assertRegex(layout["layout_source"], "table")
    sources = {field["source"] for field in layout["fields"]}
    self.assertIn("table", sources)
    self.assertNotIn("probe", sources)
    self.assertEqual([field for field in layout["fields"] if field["disagreements"]], [])
    if layout["hexversion"] >= 0x030d0000:
        self.assertIn("debug-offsets", sources)
    whole = json.loads(self.necropy("layout", core, "--json")[0])
    if whole["layout_source"] == "dwarf":
        values = {field["name"]: field["value"] for field in whole["fields"]}
        self.assertEqual(values, {field["name"]: field["value"] for field in layout["fields"]})


class Layouts(support.Case):
    def test_text(self):
        found = pythons()
        if not found:
            self.skipTest("no Python")
        living, core = self.dumped("threads", types.SimpleNamespace(path=list(found.values())[0]))
        out = self.necropy("layout", core)[0]
        self.assertRegex(out, r"^CPython 3\.\d+\.\d+")
        self.assertRegex(out, r"\n  dict\.ma_keys +\d+  (dwarf|table|debug-offsets)\n")
        self.assertTrue(re.search(r"\n0 disagreements between sources\n$", out), out[-200:])


def usual():
    """Oldest and newest, of what is here everywhere; all with NECROPY_FULL=1."""
    found = {} if support.SMALL else pythons()
    return found if support.FULL else {name: path for name, path in found.items() if name in ("3_8", "3_13")}


for _name, _path in usual().items():
    setattr(Layouts, "test_" + _name, lambda self, path=_path: check(self, path))


if __name__ == "__main__":
    unittest.main()
