# SPDX-License-Identifier: MIT
# necropy: references that nobody has: found to the last one where C code lost them, none on a healthy heap.
import os
import shutil
import subprocess
import tempfile
import unittest

import support
from support import dump

SOURCE = os.path.join(support.TESTS, "programs", "forgetful", "forgetful.c")
_INCLUDE = "import sysconfig; print(sysconfig.get_path('include')); print(sysconfig.get_config_var('EXT_SUFFIX'))"

ALL = tuple((3, minor) for minor in range(8, 16))


def everywhere(case):
    """Interpreters of every version that has a ledger: in a usual run some of them."""
    found = dump.interpreters(ALL, roots=True)[0]
    if not found:
        case.skipTest("no Python with debug information (Debian: python3-dbg)")
    return support.usual(found)


class Ledger(support.Case):
    def built(self, python, folder):
        """The extension module, compiled against this interpreter's headers."""
        out = subprocess.run([python.path, "-c", _INCLUDE], stdout=subprocess.PIPE, check=True, timeout=60)
        include, suffix = out.stdout.decode().split()
        if not os.path.exists(os.path.join(include, "Python.h")):
            self.skipTest("%s has no headers (Debian: python3-dev)" % python.name)
        compiler = shutil.which("cc") or shutil.which("gcc")
        if not compiler:
            self.skipTest("no C compiler")
        subprocess.run([compiler, "-O2", "-g", "-shared", "-fPIC", "-w", "-I", include, SOURCE, "-o",
                        os.path.join(folder, "forgetful" + suffix)], check=True, timeout=120)

    def here(self):
        """Those that an extension can be compiled for."""
        return [python for python in everywhere(self) if not python.root and not python.debug]

    def findings(self, report):
        return {finding["type"]: finding for finding in report["findings"] if finding["rule"] == "native-surplus"}

    def forgotten(self, python, *numbers):
        living = support.Living("forgotten", (self.folder(python),) + numbers, python=python.path)
        self.addCleanup(living.close)
        core = living.gcore()
        return core, living

    def folder(self, python):
        folder = tempfile.mkdtemp(prefix="necropy-ledger-")
        self.addCleanup(shutil.rmtree, folder, True)
        self.built(python, folder)
        return folder

    def check_lost(self, python):
        core, living = self.forgotten(python, 300, 250, 200, 17)
        report = self.report(core)
        found = self.findings(report)
        self.assertEqual(set(found), {"list", "str", "forgetful.Thing", "dict"})
        for name, objects, references in (("list", 300, 300), ("str", 250, 250), ("forgetful.Thing", 200, 200),
                                          ("dict", 1, 17)):
            finding = found[name]
            # The last one may lie on a stack still, where a call was that has ended: a word explains one.
            self.assertIn(finding["count"], (objects, objects - 1), name)
            gone = objects - finding["count"]
            self.assertTrue(finding["title"].startswith("%d reference" % (references - gone)), finding["title"])
            self.assertTrue(any("forgetful" in line for line in finding["evidence"]), finding["evidence"])
        self.assertIn("300 of the objects are held by nothing else", " ".join(found["list"]["evidence"]))
        self.check_kept(core, living)

    def check_kept(self, core, living):
        """What C code rightly holds is a root with a name."""
        objects = self.export(core, living.folder)
        kept = [line for line in objects.values() if line["type"] == "__main__.Kept"]
        self.assertEqual(len(kept), 1)
        self.assertRegex(kept[0]["root"], r"^native forgetful.*\.so: cache$")
        text, _ = self.necropy("show", core, kept[0]["address"])
        self.assertRegex(text, r"forgetful[^\n]* native")

    def check_healthy(self, python, program, arguments=()):
        living, core = self.dumped(program, python, "kernel" if python.root else "gcore", arguments)
        report = self.report(core, *support.options_for(python))
        self.assertTrue(report["coverage"]["reference_counts"]["reliable"])
        counts = report["coverage"]["reference_counts"]
        self.assertEqual(counts["deficit"], 0)
        self.assertGreater(counts["checked"], 100000)
        return self.findings(report), counts

    def test_what_c_code_forgets(self):
        for python in self.here():
            with self.subTest(python.name):
                self.check_lost(python)

    def test_healthy_process(self):
        for python in self.here():
            with self.subTest(python.name):
                found, counts = self.check_healthy(python, "forgotten", (self.folder(python), 0, 0, 0, 0))
                self.assertEqual(found, {})
                self.assertEqual(counts["unexplained"], 0)

    def test_zoo(self):
        """Every kind of object, with the whole standard library: nothing is lost but what CPython itself loses."""
        for python in everywhere(self):
            with self.subTest(python.name):
                found, counts = self.check_healthy(python, "zoo")
                self.assertEqual(counts["unexplained"], 0, found)
                self.assertEqual(found, {})
                self.assertLessEqual(counts["lost_by_cpython"], 5)
                self.assertEqual(counts["lost_on_import"], 0)


if __name__ == "__main__":
    unittest.main()
