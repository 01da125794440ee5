# SPDX-License-Identifier: MIT
# necropy: a snapshot answers every question about every object as its core does: types, sizes, references with their
# labels, buffers, texts. Asked of both by tests/snapshot/same_objects, which is built beside necropy.
import os
import re
import subprocess
import unittest

import support
import test_learned

SAME_OBJECTS = os.path.join(os.path.dirname(os.path.dirname(support.NECROPY)), "tests", "snapshot", "same_objects")


class SnapshotObjects(support.Case):
    def compare(self, core, python, *options, least):
        if not os.path.exists(SAME_OBJECTS):
            self.skipTest("no same_objects beside this necropy")
        snapshot = os.path.join(os.path.dirname(core), "objects.necro")
        done = subprocess.run([SAME_OBJECTS, core, snapshot, python.root or "/"] + list(options), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=support.PATIENCE)
        said = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, 0, said[:8000])
        compared, sourced = map(int, re.search(r"compared (\d+) objects, .* (\d+) objects from the source", said).groups())
        self.assertGreater(compared, 10000)
        self.assertGreater(sourced, least, "nothing was left to the dead process's code: what does this test?")

    def test_every_kind_of_object(self):
        for python in support.usual(support.pythons(self)):
            with self.subTest(python.name):
                living, core = self.dumped("zoo", python)
                self.compare(core, python, least=1000)
                living.close()

    def test_where_no_code_could_be_run(self):
        """Names and offsets then come from structures, tp_members and scans."""
        python = support.pythons(self)[0]
        _, core = self.dumped("zoo", python)
        self.compare(core, python, "blind", least=1000)

    def test_learned_types(self):
        found = [python for python in support.pythons(self) if not python.root and test_learned.headers(python)]
        if not found:
            self.skipTest("no headers of an interpreter (Debian: python3-dev)")
        program = os.path.join(support.TESTS, "programs", "unknown_types", "unknown_types.py")
        _, core = self.dumped(program, found[0], arguments=test_learned.KINDS)
        self.compare(core, found[0], least=500)


if __name__ == "__main__":
    unittest.main()
