# SPDX-License-Identifier: MIT
# necropy: what a snapshot answers without opening its heap is what the core answers, byte for byte.
"""Each command that a snapshot has a finished answer for, with the options that cut the answer, on a core and on its
snapshot: standard output, what is said on stderr, and the exit status are the same."""
import json
import os
import unittest

import support

SECTIONS = ("report", "findings", "types", "retained", "cycles", "garbage", "threads", "tasks", "memory")
CUTS = ((), ("--limit", "0"), ("--limit", "1"), ("--limit", "7"))
GROUPS = ("lineno", "filename", "traceback")


class Saved(support.Case):
    def snapshot(self, core, status=0):
        path = core + ".necro"
        self.necropy("snapshot", core, "-o", path, status=status)
        return path

    def check_same(self, command, core, saved, *options):
        with self.subTest(command=command, options=options):
            status, out, err = self.run_necropy(command, core, *options)
            got = self.run_necropy(command, saved, *options)
            self.assertEqual(got[1], out)
            self.assertEqual((got[0], got[2].replace(saved, core)), (status, err))
            return out

    def check_all(self, core, saved):
        for command in SECTIONS:
            for cut in CUTS:
                self.check_same(command, core, saved, *cut)
                self.check_same(command, core, saved, "--json", *cut)
        for group in GROUPS:
            self.check_same("allocations", core, saved, "--group", group)
            self.check_same("allocations", core, saved, "--group", group, "--json", "--limit", "5")

    def check_is_rich(self, core):
        """A report with nothing in a section proves nothing of it."""
        made = self.report(core, status=None)
        threads, groups = made["threads"], made["tasks"]["groups"]
        self.assertTrue(any(thread["exceptions"] and thread["exceptions"][0]["traceback"] for thread in threads))
        self.assertTrue(any(thread["waits"]["for"] for thread in threads))
        self.assertTrue(any(frame["locals"] for thread in threads for frame in thread["frames"]))
        self.assertLessEqual({"waiting", "failed"}, {group["state"] for group in groups})
        self.assertTrue(any(group["stack"] and group["examples"] for group in groups))
        self.assertGreaterEqual(made["garbage"]["with_finalizer"]["objects"], 500)
        self.assertTrue(any(group["garbage"] and group["finalizers"] for group in made["cycles"]["groups"]))
        self.assertEqual(made["garbage"]["in_gc_garbage"], 1)
        self.assertGreaterEqual(len(made["findings"]), 2)
        self.assertTrue(made["dominators"] and made["memory"]["parts"] and made["core"]["command"])
        native = json.loads(self.necropy("threads", core, "--json", status=None)[0])["threads"]
        self.assertTrue(any(thread["native_frames"] for thread in native))
        self.assertTrue(json.loads(self.necropy("allocations", core, "--json", status=None)[0])["statistics"])

    def test_every_section(self):
        _, core = self.dumped("every_section", support.first_python(self))
        saved = self.snapshot(core)
        self.check_is_rich(core)
        self.check_all(core, saved)
        for name in ("Listener", "__main__.Listener", "dict", "nothing", "Event"):  # short, whole, none
            self.check_same("allocations", core, saved, "--type", name)
            self.check_same("allocations", core, saved, "--type", name, "--group", "traceback", "--json")

    def test_snapshot_of_a_snapshot(self):
        """Its answers are those of the first, also about the path of the core."""
        _, core = self.dumped("cycles_del", support.first_python(self))
        first = self.snapshot(core)
        second = self.snapshot(first)
        for command in ("report", "threads"):
            self.check_same(command, first, second, "--json")
            self.check_same(command, core, second, "--json")

    def test_diff(self):
        python = support.first_python(self)
        old, new = (self.dumped(name, python)[1] for name in ("cycles_del", "every_section"))
        self.assertNotEqual(old, new)
        saved = [self.snapshot(core) for core in (old, new)]
        for options in ((), ("--json",), ("--limit", "2"), ("--json", "--limit", "0")):
            expected = self.necropy("diff", old, new, *options)[0]
            self.assertEqual(self.necropy("diff", *saved, *options)[0], expected)
            self.assertEqual(self.necropy("diff", saved[0], new, *options)[0], expected)

    def test_cut_core(self):
        """What could not be read of the core is said of the snapshot too, with the same exit status."""
        _, core = self.dumped("cycles_del", support.first_python(self))
        with open(core, "r+b") as target:
            target.truncate(os.path.getsize(core) * 9 // 10)
        saved = self.snapshot(core, status=None)
        self.assertIn("truncated", self.run_necropy("report", saved)[2])
        for command in SECTIONS:
            self.check_same(command, core, saved)

    def test_no_code(self):
        _, core = self.dumped("cycles_del", support.first_python(self))
        out, err = self.necropy("report", "--verify", self.snapshot(core), status=2)
        self.assertEqual(out, "")
        self.assertIn("the answers of a snapshot were made without comparing", err)


if __name__ == "__main__":
    unittest.main()
