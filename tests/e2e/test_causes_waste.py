# SPDX-License-Identifier: MIT
# necropy: programs that waste memory, and the finding that is expected among the first three.
import os
import subprocess
import unittest

import support


ALL = tuple((3, minor) for minor in range(8, 16))


class Waste(support.Case):
    def first_findings(self, program, check):
        for python in support.usual(support.dump.interpreters(ALL, roots=support.FULL)[0]):
            with self.subTest(python.name):
                living, core = self.dumped("causes/waste_" + program, python, "kernel")
                report = self.report(core, *support.options_for(python))
                living.close()
                check([finding for finding in report["findings"][:3]], report, python)

    def one(self, findings, rule, kind=None):
        found = [each for each in findings if each["rule"] == rule and kind in (None, each["type"])]
        self.assertEqual(len(found), 1, (rule, kind, findings))
        return found[0]

    def near(self, count, expected):
        self.assertLessEqual(abs(count - expected), expected / 100, (count, expected))

    def test_duplicates(self):
        def check(findings, report, python):
            all_of_it = report["findings"]
            for kind, count, attribute in (("str", 40000 - 9, "state"), ("bytes", 20000 - 3, "code"),
                                           ("tuple", 20000 - 5, "place")):
                each = self.one(all_of_it, "duplicate-values", kind)
                self.assertLessEqual(count, each["count"])  # some are the standard library's own
                self.assertLessEqual(each["count"], count + 2000)
                self.assertEqual(each["holder"]["path"], "__main__.parcels[*]." + attribute)
            self.assertIn("duplicate-values", [each["rule"] for each in findings])
            self.assertIn("says the depot", " ".join(self.one(all_of_it, "duplicate-values", "str")["evidence"]))

        self.first_findings("duplicates", check)

    def test_sparse_tables(self):
        def check(findings, report, python):
            for kind, attribute in (("dict", "guests"), ("set", "seen")):
                each = self.one(findings, "sparse-containers", kind)
                self.near(each["count"], 40)
                self.assertEqual(each["holder"]["path"], "__main__.rooms[*]." + attribute)
                self.assertEqual(each["severity"], "medium")

        self.first_findings("sparse", check)

    def test_empty_containers(self):
        def check(findings, report, python):
            each = self.one(report["findings"], "sparse-containers", "set")
            self.near(each["count"], 30000 - 30)
            self.assertEqual(each["holder"]["path"], "__main__.cells[*].watchers")

        self.first_findings("empty", check)

    def test_lost_key_sharing(self):
        def check(findings, report, python):
            each = self.one(findings, "instance-dicts", "__main__.Record")
            self.near(each["count"], 20000)
            self.assertTrue(each["holder"]["path"].startswith("__main__.records[*]"))
            self.assertIn("share", each["title"])

        self.first_findings("own_dicts", check)

    def test_views_that_pin(self):
        def check(findings, report, python):
            each = self.one(findings, "pinned-memory")
            self.near(each["count"], 200)
            self.assertEqual(each["type"], "numpy.ndarray")
            self.assertEqual(each["holder"]["path"], "__main__.first_rows[*]")
            self.near(each["retained_bytes"], 200 * 199 * 800)

        python = next((each for each in support.pythons(self) if each.name.startswith("debian")), None)
        if not python or subprocess.run([python.path, "-c", "import numpy"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no Debian Python with NumPy (python3-numpy)")
        living, core = self.dumped("causes/waste_pinned_views", python, "kernel")
        report = self.report(core)
        check(report["findings"][:3], None, python)
        data = [part["bytes"] for part in report["memory"]["parts"] if part["name"] == "data of NumPy arrays"]
        self.assertLessEqual(200 * 200 * 100 * 8, data[0])

    def test_arenas(self):
        def check(findings, report, python):
            each = self.one(findings, "allocator-waste")
            self.assertIn("Python's own allocator", each["title"])
            free = [part["bytes"] for part in report["memory"]["parts"]
                    if part["name"] == "free blocks of Python's allocator"]
            self.assertEqual(each["retained_bytes"], free[0])
            self.assertIn("arenas", " ".join(each["evidence"]))

        self.first_findings("arenas", check)


if __name__ == "__main__":
    unittest.main()
