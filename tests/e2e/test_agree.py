# SPDX-License-Identifier: MIT
# necropy: the walkers written by hand against the dead interpreter's own tp_traverse, emulated, on every object of the zoo.
"""Environment: NECROPY_AGREE, the binary (default: beside NECROPY in its build)."""
import os
import subprocess
import unittest

import support

BUILD = os.path.dirname(os.path.dirname(support.NECROPY))
AGREE = os.environ.get("NECROPY_AGREE") or os.path.join(BUILD, "tests", "agree", "necropy-agree")


def check(self, python, how):
    if not os.path.exists(AGREE):
        self.skipTest("no necropy-agree at %s" % AGREE)
    _, core = self.dumped("zoo", python, how)
    done = subprocess.run([AGREE, core], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=support.PATIENCE)
    said = done.stdout.decode(errors="replace")
    if done.returncode == 2 and "no emulation" in said:
        self.skipTest("built without the emulator")
    self.assertEqual(done.returncode, 0, said[-4000:])
    self.assertRegex(said, r"[1-9]\d{5,} objects .* 0 disagree")


@support.each_core(check)
class Agree(support.Case):
    pass


if __name__ == "__main__":
    unittest.main()
