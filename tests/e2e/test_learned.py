# SPDX-License-Identifier: MIT
# necropy: types of very many instances that only their own code knows: learned, and exact all the same.
"""programs/unknown_types builds an extension with the C compiler and the interpreter's headers; skipped without them."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import support
from support import compare

KINDS = ("Fixed", 70000, "Array", 70000, "Sized", 20000, "Moving", 150000)


def headers(python):
    script = "import os, sysconfig; print(os.path.join(sysconfig.get_paths()['include'], 'Python.h'))"
    return os.path.exists(subprocess.run([python.path, "-c", script], stdout=subprocess.PIPE, check=True).stdout.decode().strip())


class Learned(support.Case):
    def test_exact_on_every_instance(self):
        """Moving: the fields that are visited depend on a word of the object, in one of a thousand."""
        found = [python for python in support.pythons(self) if not python.root and headers(python)]
        if not found or not shutil.which("cc"):
            self.skipTest("no C compiler, or no headers of an interpreter (Debian: python3-dev)")
        for python in found[:1] + found[-1:] if len(found) > 1 else found:
            with self.subTest(python.name):
                self.check(python)

    def check(self, python):
        program = os.path.join(support.TESTS, "programs", "unknown_types", "unknown_types.py")
        living, core = self.dumped(program, python, arguments=KINDS, truth=True)
        export = self.export(core, living.folder)
        verdict = compare.compare(compare.Truth(living.truth), export)
        if min(verdict["figures"].values()) < 1:
            compare.print_verdict(verdict, sys.stderr)
        self.assertEqual(set(verdict["figures"].values()), {1.0})
        said = json.loads(self.necropy("verify", core, "--all", "--json")[0])
        self.assertEqual((said["disagree"], said["failed"]), (0, 0))
        # Walked by what was learned, and compared with their code; only what is not alike is walked by its own code.
        rows = {row["type"]: row for row in said["types"]}
        for kind, count in zip(KINDS[::2], KINDS[1::2]):
            self.assertEqual((rows["unknown." + kind]["agree"], rows["unknown." + kind]["own_code"]), (count, 0), kind)


if __name__ == "__main__":
    unittest.main()
