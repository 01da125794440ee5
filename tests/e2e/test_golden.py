# SPDX-License-Identifier: MIT
# necropy: what a person sees: the text report and the picture of a small scenario against golden files.
"""test_golden.py --update writes the golden files anew; review the difference.

What differs between runs and machines is replaced: addresses, process ids, folders, sizes, and counts that depend on
the interpreter.  The scenario is made for Debian's python3, so that one set of files is enough.
"""
import difflib
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

import support

_REPLACED = (
    (r"0x[0-9a-f]+", "0xADDRESS"),
    (r"/\S*/(?=[\w.+-]+)", "FOLDER/"),
    (r"\b(gcore|core)\.\d+", r"\1.PID"),
    (r"\b(pid|process|thread id|native id)(\W+)\d+", r"\1\2PID"),
    (r"(?<![\d.])\d[\d.]*(?: |\u00a0|\u202f|\u2009)?([kMG]i?B|B|bytes|ms|s)\b", "SIZE"),
    (r"(?:< )?\b\d[\d., \u00a0\u202f\u2009]*%", "PERCENT"),
    (r"\b3\.\d+\.\d+\b", "VERSION"),
    (r"\b\d{1,3}(?:[ \u00a0\u202f\u2009,]\d{3})+\b|\b\d{3,}\b", "N"),
    (r"\u2026 \d+ more", "\u2026 N more"), (r"ran \d+ times", "ran N times"),
    (r"order-\d+", "order-N"), (r"  +", "  "), (r"(?m) +$", ""), (r"[-\u2500=]{4,}", "----"))
# Figures of the scenario itself stay.
_KEPT = ("1 234", "1234", "321", "642")


def normalise(text, pid):
    text = re.sub(r"\b%d\b" % pid, "PID", text)
    for number, figure in enumerate(_KEPT):
        text = re.sub(r"(?<![\d.])%s(?![\d.]| *[kMG]?B\b)" % figure.replace(" ", "[ ,\u00a0\u202f\u2009]"),
                      "KEPT%s" % "abcdef"[number], text)
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    for number, figure in enumerate(_KEPT):
        text = text.replace("KEPT%s" % "abcdef"[number], figure)
    return text


def without_native_frames(text):
    """They are the C library's and the build's (test_scenarios.py looks at them)."""
    text = re.sub(r"(?m)^    native:\n(?:      \S.*\n)+", "", text)
    return re.sub(r"\nNative frames are not shown: [^.]*\.\n", "", text)


class Golden(support.Case):
    @classmethod
    def setUpClass(cls):
        found = [python for python in support.dump.interpreters()[0] if python.name.startswith("debian-3.11")]
        if not found:
            raise unittest.SkipTest("the golden files are for Debian 12's python3 with python3-dbg")
        # Widths and line breaks depend on the length of paths, so these are always as long.
        cls.folder = tempfile.mkdtemp(prefix="necropy-", dir="/tmp")
        for name in ("programs/small_shop.py", "programs/leak_bus.py", "oracle/oracle.py"):
            os.makedirs(os.path.join(cls.folder, os.path.dirname(name)), exist_ok=True)
            shutil.copy(os.path.join(support.TESTS, name), os.path.join(cls.folder, name))
        cls.living = support.Living(os.path.join(cls.folder, "programs/small_shop.py"), python=found[0].path,
                                    folder=cls.folder)
        try:
            cls.core = cls.living.dump("kernel")
        except support.dump.Skip as why:
            cls.tearDownClass()
            raise unittest.SkipTest(str(why))

    @classmethod
    def tearDownClass(cls):
        cls.living.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def differences(self, name, arguments):
        got = without_native_frames(self.necropy(arguments[0], self.core, *arguments[1:])[0])
        got = normalise(got, self.living.pid)
        path = os.path.join(support.GOLDEN, name)
        if os.environ.get("NECROPY_UPDATE"):
            with open(path, "w") as out:
                out.write(got)
        with open(path) as source:
            wanted = source.read()
        return "".join(difflib.unified_diff(wanted.splitlines(True), got.splitlines(True), "golden", "got"))

    def compare(self, name, *arguments):
        different = self.differences(name, arguments)
        if different:
            # The first order of a list is that of the lowest address, which in one of many processes is not the one
            # that was made first: what is wrong is so in another process, too.
            self.tearDownClass()
            self.setUpClass()
            different = self.differences(name, arguments)
        if different:
            self.fail("%s differs (test_golden.py --update accepts it):\n%s" % (name, different))

    def test_report(self):
        self.compare("report.golden", "report", "--limit", "1")

    def test_cycles(self):
        self.compare("cycles.golden", "cycles", "--limit", "1")

    def test_threads(self):
        self.compare("threads.golden", "threads")

    def test_path(self):
        self.compare("path.golden", "path", "--type", "small.shop.Order", "--limit", "3")

    def test_show(self):
        found = json.loads(self.necropy("show", self.core, "--type", "small.shop.Registry", "--json")[0])
        self.compare("show.golden", "show", found["objects"][0]["address"])

    def test_show_type(self):
        self.compare("show_type.golden", "show", "--type", "small.shop.Order", "--limit", "2")

    def test_backrefs(self):
        self.compare("backrefs.golden", "backrefs", "--type", "small.shop.Order", "--max-depth", "4", "--max-nodes", "12")


if __name__ == "__main__":
    if "--update" in sys.argv:
        sys.argv.remove("--update")
        os.environ["NECROPY_UPDATE"] = "1"
    unittest.main()
