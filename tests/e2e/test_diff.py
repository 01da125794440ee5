# SPDX-License-Identifier: MIT
# necropy: what grew between dumps of a service: the leak first, in one process and between two.
"""NECROPY_FULL=1: every leak with every interpreter; else every leak with one, one leak with the others."""
import json
import os
import shutil
import unittest

import support

STEP = 1000  # requests, as request_leak.py has them

# What each leak must be called: the path of what grows, its type, how many more for a step (None: grows in size).
LEAKS = {
    "seen": ("shop.handlers.SEEN[*]", "shop.handlers.Entry", STEP),
    "audit": ("shop.audit.journal.lines[*]", "shop.audit.Line", STEP),
    "sessions": ("shop.cache.sessions[*].basket[*]", "dict", STEP),
    "chain": ("shop.audit.journal.head.before", "shop.audit.Line", STEP),
    "buffer": ("shop.handlers.ROUTES[*].body", "bytearray", None),
}


_found = None


def pythons(case):
    """Also those that support.pythons leaves to test_versions."""
    global _found
    if _found is None:
        _found = support.dump.interpreters([(3, minor) for minor in range(8, 16)])[0]
    if not _found:
        case.skipTest("no Python with debug information (Debian: python3-dbg)")
    return support.usual(_found)


def schema_problems(made):
    try:
        import jsonschema
    except ImportError:
        return []
    with open(os.path.join(support.ROOT, "analyzer", "report", "diff.schema.json")) as source:
        validator = jsonschema.Draft7Validator(json.load(source))
    return ["%s: %s" % ("/".join(map(str, error.absolute_path)), error.message[:300])
            for error in list(validator.iter_errors(made))[:20]]


class Diff(support.Case):
    def served(self, python, leak, *requests, steps=0, seed="0"):
        """The cores of a service that has answered so many requests, and again after each step."""
        living = support.Living("request_leak", [leak] + list(requests), python=python.path,
                                env={"PYTHONHASHSEED": seed, "NECROPY_REQUESTS": str(STEP)})
        self.addCleanup(living.close)
        cores = []
        for step in range(steps + 1):
            if step:
                living.go_on()
            try:
                core = living.dump("gcore")
            except support.dump.Skip as why:
                self.skipTest(str(why))
            cores.append("%s.step%d" % (core, step))
            os.rename(core, cores[-1])
        return cores

    def diff(self, *cores, status=0):
        made = json.loads(self.necropy("diff", *cores, "--json", status=status)[0])
        self.assertEqual(schema_problems(made), [])
        for row in made["paths"] + made["types"]:
            self.assertEqual(len(row["counts"]), len(cores))
        return made

    def check_leak(self, made, leak, steps=1):
        path, kind, more = LEAKS[leak]
        first = made["paths"][0]
        self.assertEqual((first["path"], first["type"]), (path, kind), made["sentence"])
        self.assertTrue(made["grew"])
        self.assertIn((first["holder"] or path), made["sentence"])
        if more:
            self.assertAlmostEqual(first["grown_objects"], more * steps, delta=more * steps * 0.01)
            self.assertEqual(first["kind"], "elements")
        else:
            self.assertEqual(first["kind"], "size")
        self.assertTrue(first["monotone"])

    def check_steps(self, python, leak):
        """Three dumps of one process: cold, warm, later."""
        cores = self.served(python, leak, 0, steps=2)
        self.check_leak(self.diff(*cores), leak, 2)
        self.check_leak(self.diff(*cores[1:]), leak)
        return cores

    def test_leaks(self):
        for number, python in enumerate(pythons(self)):
            for leak in LEAKS if not number or support.FULL else ["seen"]:
                with self.subTest(python=python.name, leak=leak):
                    self.check_steps(python, leak)

    def test_cold_start(self):
        """Before the first request and after a thousand: everything grew, the leak comes first all the same."""
        for leak in ("seen", "audit", "chain"):
            with self.subTest(leak):
                made = self.diff(*self.served(support.first_python(self), leak, 0, steps=1))
                path, kind, more = LEAKS[leak]
                first = made["paths"][0]
                self.assertEqual((first["path"], first["type"]), (path, kind), made["sentence"])
                self.assertAlmostEqual(first["grown_objects"], more, delta=more * 0.01)
                full = {row["path"]: row["limit"] for row in made["paths"] if row["kind"] == "limited"}
                self.assertEqual(full, {"shop.cache.pages.pages[*]": 250, "shop.cache.render[*]": 128,
                                        "shop.cache.latest[*]": 200})

    def test_two_processes(self):
        """Another process, another hash seed, more requests."""
        for python in pythons(self):
            with self.subTest(python=python.name):
                old, = self.served(python, "seen", 1000, seed="17")
                new, = self.served(python, "seen", 2000, seed="4711")
                made = self.diff(old, new)
                self.check_leak(made, "seen")
                self.assertNotEqual(made["dumps"][0]["pid"], made["dumps"][1]["pid"])
                self.assertGreater(made["paths"][0]["grown_bytes"], made["all_growth_bytes"] // 2)
                self.assertEqual(made["warnings"], [])

    def test_busy(self):
        """In the second dump a running frame holds what leaks, and a list of all of it: the path stays that of the module."""
        python = support.first_python(self)
        old, = self.served(python, "seen", 1000)
        new, = self.served(python, "seen", 2000, "busy")
        made = self.diff(old, new)
        self.check_leak(made, "seen")

    def test_damaged(self):
        """What a cut core does not have is said, and nothing else of it."""
        old, = self.served(support.first_python(self), "seen", 100)
        cut = old + ".cut"
        with open(old, "rb") as source, open(cut, "wb") as out:
            out.write(source.read(os.path.getsize(old) * 2 // 3))
        made = self.diff(old, cut, status=4)
        self.assertTrue(any("could not be read in whole" in warning for warning in made["warnings"]), made["warnings"])
        self.assertIsNotNone(made["dumps"][1]["unread"])
        self.assertIsNone(made["dumps"][0]["unread"])

    def test_same_program_is_the_same(self):
        """Two processes that have done the same: what differs is next to nothing."""
        python = support.first_python(self)
        old, = self.served(python, "seen", 1000, seed="17")
        new, = self.served(python, "seen", 1000, seed="4711")
        made = self.diff(old, new)
        self.assertFalse(made["grew"], made["sentence"])
        self.assertLess(made["all_growth_bytes"], made["dumps"][0]["heap_bytes"] // 200)

    def test_nothing_grew(self):
        cores = self.served(support.first_python(self), "none", 1000, steps=2)
        for chosen in (cores, cores[:2]):
            made = self.diff(*chosen)
            self.assertFalse(made["grew"], made["sentence"])
            self.assertIn("Nothing grew", made["sentence"])
        text = self.necropy("diff", *cores)[0]
        self.assertIn("Nothing grew to speak of", text)

    def test_text(self):
        cores = self.served(support.first_python(self), "seen", 1000, steps=2)
        text = self.necropy("diff", *cores, "--limit", "3")[0]
        self.assertRegex(text, r"`shop\.handlers\.SEEN` grew by 2 000 `Entry` \(1\.\d+ MB\), \d+ % of all growth\.\s+"
                               r"It\s+grew\s+in\s+each\s+of\s+2\s+steps\.")
        # Types are shortened when a longer path takes the room: which pages are there is random.
        self.assertRegex(text, r"1 000 → 2 000 → 3 000  shop\.handlers\.SEEN\[\*\] +shop\.\S+\.Entry +in each step")
        self.assertLessEqual(max(map(len, text.splitlines())), 120)
        many = self.necropy("diff", cores[0], cores[0], cores[0], cores[1], cores[2], "--limit", "1")[0]
        self.assertIn("1 000 → … → 3 000  shop.handlers.SEEN[*]", many)
        shrunk = self.necropy("diff", cores[2], cores[0])[0]
        self.assertIn("Nothing grew", shrunk)

    def test_other_versions(self):
        found = pythons(self)
        others = [python for python in found if python.version[:2] != found[0].version[:2]]
        if not others:
            self.skipTest("one version of Python only")
        made = self.diff(self.served(found[0], "seen", 10)[0], self.served(others[0], "seen", 1000)[0])
        self.assertTrue(any("versions of Python" in warning for warning in made["warnings"]), made["warnings"])
        self.assertTrue(any("different programs" in warning for warning in made["warnings"]), made["warnings"])
        self.assertEqual(made["paths"][0]["path"], LEAKS["seen"][0])

    def test_usage(self):
        core, = self.served(support.first_python(self), "none", 1)
        self.assertIn("two core files", self.necropy("diff", core, status=2)[1])
        self.assertIn("16 cores", self.necropy("diff", *[core] * 17, status=2)[1])
        _, err = self.necropy("diff", core, "/nowhere/core", status=3)
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        self.assertIn("/nowhere/core", err)
        copy = core + ".same"
        shutil.copy(core, copy)
        self.assertFalse(self.diff(core, copy)["grew"])


if __name__ == "__main__":
    unittest.main()
