# SPDX-License-Identifier: MIT
# necropy: programs written from the known causes alone, before the rules were looked at: nine in ten must be named.
"""Each program in programs/blind/ says in its "# expect:" line what a person would want to read: rule, type and path as
regular expressions, and a count (within 1 per cent; null: not asked); perhaps a module that it needs. One of the first
three findings must say all of that. A program that is expected to be healthy must raise no finding of severity high."""
import glob
import json
import os
import re
import subprocess
import sys
import unittest

import support

SHARE = 0.9


def expectation(path):
    with open(path) as source:
        for line in source:
            if line.startswith("# expect: "):
                return json.loads(line[len("# expect: "):])
    raise AssertionError("%s expects nothing" % path)


def says(finding, expect):
    path = (finding["holder"] or {}).get("path") or ""
    texts = " ".join([path, finding["title"]] + finding["evidence"])
    return (re.search(expect["rule"], finding["rule"]) is not None
            and (not expect["type"] or re.search(expect["type"], finding["type"] or "") is not None)
            and (not expect["path"] or re.search(expect["path"], path) is not None
                 or re.search(expect["path"].lstrip("^"), texts) is not None)
            and (expect["count"] is None or abs(finding["count"] - expect["count"]) <= expect["count"] / 100))


def brief(report):
    return ["%s %s %s %s @ %s" % (f["severity"], f["rule"], f["count"], f["type"], (f["holder"] or {}).get("path"))
            for f in report["findings"][:3]]


ALL = tuple((3, minor) for minor in range(8, 16))


def has(python, module):
    root, inner = support.dump.split_root(python.path)
    return not subprocess.run([inner, "-c", "import " + module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: support.dump._enter(root, "/"), timeout=120).returncode


class Blind(support.Case):
    folder = "blind"

    def test_nine_in_ten(self):
        found = [one for one in support.dump.interpreters(ALL, roots=True)[0] if not one.debug]
        if not found:
            self.skipTest("no Python with debug information (Debian: python3-dbg)")
        for python in found if support.FULL else found[:1]:
            with self.subTest(python.name):
                self.check(python)

    def check(self, python):
        missed, asked = [], 0
        for program in sorted(glob.glob(os.path.join(support.TESTS, "programs", self.folder, "*.py"))):
            expect = expectation(program)
            if "needs" in expect and not has(python, expect["needs"]):
                continue
            living, core = self.dumped(self.folder + "/" + os.path.basename(program)[:-3], python, "kernel")
            report = self.report(core, *support.options_for(python))
            living.close()
            name = os.path.basename(program)
            if expect.get("healthy"):
                self.assertNotIn("high", [f["severity"] for f in report["findings"]], (name, brief(report)))
                continue
            asked += 1
            if not any(says(finding, expect) for finding in report["findings"][:3]):
                missed.append((name, brief(report)))
        for name, findings in missed:
            print("%s: missed %s\n    %s" % (python.name, name, "\n    ".join(findings)), file=sys.stderr)
        self.assertGreaterEqual(asked - len(missed), SHARE * asked, missed)


if __name__ == "__main__":
    unittest.main()
