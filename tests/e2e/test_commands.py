# SPDX-License-Identifier: MIT
# necropy: every command once, on one dump of a leaky service: what it prints and what it writes.
import json
import os
import re
import shutil
import unittest

import support

HEAPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "bench", "heaps.py")


class Commands(support.Case):
    @classmethod
    def setUpClass(cls):
        found = support.dump.interpreters()[0]
        if not found:
            raise unittest.SkipTest("no Python with debug information (Debian: python3-dbg)")
        cls.python = found[0].path
        cls.living = support.Living("leak_bus", python=cls.python, env={"NECROPY_LEAK": "3000"})
        try:
            cls.core = cls.living.dump("gcore")
        except support.dump.Skip as why:
            cls.living.close()
            raise unittest.SkipTest(str(why))

    @classmethod
    def tearDownClass(cls):
        cls.living.close()

    def path(self, name):
        return os.path.join(self.living.folder, name)

    def bus(self):
        """The address of the leaking list."""
        return self.report(self.core)["dominators"][0]["address"]

    def test_sections(self):
        for section in ("findings", "types", "retained", "cycles", "garbage", "threads", "memory"):
            with self.subTest(section):
                text, err = self.necropy(section, self.core)
                self.assertTrue(text.strip())
                self.assertEqual(err, "", "no progress in a pipe")
                json.loads(self.necropy(section, self.core, "--json")[0])

    def test_report_fits_the_screen(self):
        text, err = self.necropy("report", self.core)
        self.assertLessEqual(len(text.splitlines()), 100)
        self.assertLessEqual(max(map(len, text.splitlines())), 120)
        self.assertEqual(err, "")
        self.assertNotIn("\x1b", text)

    def test_report_files(self):
        made = self.path("report.json")
        text, _ = self.necropy("report", self.core, "--json", made, "--quiet")
        self.assertTrue(text.strip())
        with open(made) as source:
            self.assertEqual(support.schema_problems(json.load(source)), [])

    def test_memory_sums_to_the_core(self):
        memory = self.report(self.core)["memory"]
        self.assertEqual(sum(row["bytes"] for row in memory["parts"]), memory["bytes"])
        self.assertEqual(memory["bytes"], os.path.getsize(self.core))

    def test_show(self):
        text, _ = self.necropy("show", self.core, self.bus())
        self.assertIn("list", text)
        self.assertIn("ui.events.bus.listeners", text)
        self.assertIn("ui.events.Listener", text)
        shown = json.loads(self.necropy("show", self.core, self.bus(), "--json", "--limit", "5")[0])
        self.assertEqual(shown["type"], "list")
        self.assertEqual([field["name"] for field in shown["fields"]], ["[%d]" % index for index in range(5)])
        self.assertEqual({field["type"] for field in shown["fields"]}, {"ui.events.Listener"})
        self.assertIn({"name": "length", "text": "{:,} items".format(shown["field_total"]).replace(",", " ")}, shown["facts"])
        freed = {row["type"]: row for row in shown["freed_with_it"]}
        self.assertEqual(freed["ui.events.Listener"]["count"], shown["field_total"])
        self.assertLessEqual(sum(row["bytes"] for row in shown["freed_with_it"]), shown["retained_bytes"] - shown["size"])
        self.assertEqual(shown["dominator"]["label"], ".listeners")
        element = json.loads(self.necropy("show", self.core, shown["fields"][0]["address"], "--json")[0])
        self.assertEqual(element["fields_are"], "attributes")
        self.assertEqual(element["retained_bytes"], shown["fields"][0]["retained_bytes"])

    def test_show_type(self):
        shown = json.loads(self.necropy("show", self.core, "--type", "ui.events.Listener", "--json", "--limit", "3")[0])
        self.assertEqual(len(shown["objects"]), 3)
        retained = [one["retained_bytes"] for one in shown["objects"]]
        self.assertEqual(retained, sorted(retained, reverse=True))
        types = json.loads(self.necropy("types", self.core, "--json")[0])["types"]
        row = next(row for row in types if row["type"] == "ui.events.Listener")
        self.assertEqual((shown["total"], shown["shallow_bytes"]), (row["count"], row["shallow_bytes"]))
        self.necropy("show", self.core, status=2)
        self.necropy("show", self.core, "0x10", "--type", "list", status=2)

    def test_show_nothing(self):
        _, err = self.necropy("show", self.core, "0x10", status=None)
        self.assertIn("0x10", err)

    def test_path(self):
        text, _ = self.necropy("path", self.core, self.bus())
        self.assertIn("ui.events.bus.listeners", text)
        text, _ = self.necropy("path", self.core, "--type", "ui.events.Listener")
        self.assertIn("ui.events.bus.listeners[", text)

    def test_unknown_type(self):
        _, err = self.necropy("path", self.core, "--type", "no.such.Type", status=None)
        self.assertIn("no.such.Type", err)

    def test_picture(self):
        dot, _ = self.necropy("backrefs", self.core, "--type", "ui.events.Listener")
        self.assertTrue(dot.startswith("digraph"))
        self.assertIn("listeners", dot)
        self.assertIn("ui.events.Listener", dot)
        refs, _ = self.necropy("refs", self.core, "--address", self.bus(), "--max-depth", "2", "--max-nodes", "10")
        self.assertTrue(refs.startswith("digraph"))
        made = self.path("x.json")
        self.necropy("backrefs", self.core, "--address", self.bus(), "-o", made)
        with open(made) as source:
            self.assertTrue(json.load(source))

    @unittest.skipUnless(shutil.which("dot"), "Graphviz is not installed")
    def test_picture_files(self):
        for suffix, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("dot", b"digraph")):
            made = self.path("x." + suffix)
            self.necropy("backrefs", self.core, "--type", "ui.events.Listener", "-o", made)
            with open(made, "rb") as source:
                self.assertTrue(source.read(10).startswith(magic))

    def test_no_graphviz(self):
        made = self.path("none.png")
        _, err = self.necropy("backrefs", self.core, "--type", "ui.events.Listener", "-o", made, status=None,
                              env={"PATH": "/nowhere"})
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        self.assertRegex(err, "(?i)graphviz")
        self.assertFalse(os.path.exists(made))

    def test_export_to_stdout(self):
        out, _ = self.necropy("export", self.core, "--format", "ndjson")
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(sum(line["type"] == "ui.events.Listener" for line in lines), 3000)
        for line in lines[:1000]:
            self.assertRegex(line["address"], r"^0x[0-9a-f]+$")

    def test_cache(self):
        """Layouts come from the cache the second time and never where --no-cache is said; the result is the same."""
        first = self.report(self.core, "--no-cache")
        again = self.report(self.core)
        self.assertEqual(first["types"], again["types"])

    def check_jobs(self, core, status=0):
        """However many threads work, and however often: the same bytes."""
        made = []
        for number, jobs in enumerate(("1", "2", "8", "2")):
            path = self.path("jobs%d.json" % number)
            text, _ = self.necropy("report", core, "--jobs", jobs, "--json", path, status=status)
            with open(path, "rb") as source:
                made.append((text, source.read()))
        self.assertEqual(made[1:], made[:1] * 3)

    def cut(self, core):
        """A copy of which the last third is missing."""
        path = self.path("cut.core")
        shutil.copy(core, path)
        os.truncate(path, os.path.getsize(core) // 3 * 2)
        return path

    def test_jobs(self):
        self.check_jobs(self.core)

    def test_jobs_of_many(self):
        """Enough objects that each thread has many runs of them, of every kind; then not all can be read."""
        for program, arguments in ((HEAPS, ("service", "300000", self.path("facts.json"))), ("zoo", ())):
            with support.Living(program, arguments, python=self.python) as living:
                core = living.dump("gcore")
                with self.subTest(program):
                    self.check_jobs(core)
                with self.subTest(program, cut=True):
                    cut = self.cut(core)
                    self.check_jobs(cut, status=4)
                    self.assertTrue(self.report(cut, status=4)["coverage"]["unreadable"])

    def test_unusable_cache(self):
        # Two environments in which nothing can be kept, and one with a damaged file.
        for place in ("/dev/null/x", "relative"):
            self.necropy("types", self.core, env={"XDG_CACHE_HOME": place})


if __name__ == "__main__":
    unittest.main()
