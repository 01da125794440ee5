# SPDX-License-Identifier: MIT
# necropy: do the walkers written by hand say what the dead interpreter's own tp_traverse says, for every object that there is?
"""necropy verify on the zoo of every interpreter; the versions' zoos are verified in test_versions.py."""
import json
import os
import shutil
import unittest

import support


def check(self, python, how):
    _, core = self.dumped("zoo", python, how)
    status, out, err = self.run_necropy("verify", core, "--all", "--json", *support.options_for(python))
    said = json.loads(out)
    if said["note"] and "without Unicorn" in said["note"]:
        self.assertEqual(status, 4)
        self.skipTest("built without the emulator")
    self.assertEqual((status, said["disagreements"], said["failures"]), (0, [], []), err)
    self.assertTrue(said["good"])
    self.assertGreater(said["checked"], 150000)
    self.assertEqual(said["checked"], said["objects"])
    self.assertEqual(said["agree"] + said["own_code"], said["checked"])
    self.assertEqual(sum(row["checked"] for row in said["types"]), said["checked"])


@support.each_core(check)
class Verify(support.Case):
    pass


class VerifyCommand(support.Case):
    def core(self):
        return self.dumped("small_shop", support.first_python(self))[1]

    def test_samples_and_report(self):
        core = self.core()
        said = json.loads(self.necropy("verify", core, "--json", "--limit", "3")[0])
        self.assertEqual(len(said["types"]), 3)
        self.assertTrue(all(row["checked"] == min(row["objects"], said["samples_of_a_type"]) for row in said["types"]), said)
        text = self.necropy("verify", core)[0]
        self.assertTrue(text.startswith("Verified: "), text[:300])
        self.assertIn("100.00 %", text)
        report = self.report(core, "--verify")
        self.assertIn("100.00 %", report["coverage"]["verified"])
        self.assertNotIn("verified", self.report(core)["coverage"])

    def test_code_that_is_missing(self):
        """Without the files the interpreter's text is not there to be run: the status says so, and nothing is invented."""
        core = self.core()
        nowhere = os.path.join(os.path.dirname(core), "nowhere")
        os.mkdir(nowhere)
        self.addCleanup(shutil.rmtree, nowhere)
        status, out, err = self.run_necropy("verify", core, "--json", "--sysroot", nowhere)
        self.assertIn(status, (3, 4), err)  # 3: without the program Python may not be found at all
        if status == 4:
            said = json.loads(out)
            self.assertFalse(said["good"])
            self.assertTrue(said["note"] or said["failed"], said["verdict"])


if __name__ == "__main__":
    unittest.main()
