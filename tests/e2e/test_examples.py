# SPDX-License-Identifier: MIT
# necropy: the examples that a user would copy do what their README says.
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import support

EXAMPLES = os.path.join(support.ROOT, "examples")


class Examples(support.Case):
    def setUp(self):
        self.python = support.first_python(self)
        if not shutil.which("gcore"):
            self.skipTest("gcore (package gdb) is not installed")
        self.folder = tempfile.mkdtemp(prefix="necropy-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def run_example(self, *command, status=0, **environment):
        done = subprocess.run([str(part) for part in command], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=300,
                              env=dict(os.environ, NECROPY=support.NECROPY, PYTHON=self.python.path, **environment))
        text = done.stdout.decode(errors="replace")
        self.assertEqual(done.returncode, status, text[-4000:])
        return text

    def test_after_oom(self):
        text = self.run_example(os.path.join(EXAMPLES, "after-oom", "demo.sh"))
        self.assertGreaterEqual(text.count("__main__.log.requests"), 1, text)

    def test_ci(self):
        with support.Living("leak_bus", python=self.python.path, env={"NECROPY_LEAK": "2000"}) as living:
            try:
                shutil.move(living.gcore(), os.path.join(self.folder, "core.python"))
            except support.dump.Skip as why:
                self.skipTest(str(why))
        sleeper = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
        time.sleep(0.3)
        subprocess.run(["gcore", "-o", os.path.join(self.folder, "core"), str(sleeper.pid)], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        sleeper.kill()
        sleeper.wait()
        with open(os.path.join(self.folder, "notes.txt"), "w") as out:
            out.write("no core\n")
        text = self.run_example(os.path.join(EXAMPLES, "ci", "analyse-cores.sh"), self.folder, "reports")
        self.assertIn("ui.events.bus.listeners", text)
        self.assertIn("2 cores", text)
        with open(os.path.join(self.folder, "reports", "core.python.json")) as source:
            self.assertEqual(support.schema_problems(json.load(source)), [])

    @unittest.skipUnless(shutil.which("dot"), "Graphviz is not installed")
    def test_backrefs(self):
        with support.Living("leak_bus", python=self.python.path, env={"NECROPY_LEAK": "2000"}) as living:
            try:
                core = living.gcore()
            except support.dump.Skip as why:
                self.skipTest(str(why))
            text = self.run_example(os.path.join(EXAMPLES, "backrefs", "backrefs.sh"), core, "ui.events.Listener", "x.png")
        self.assertIn("ui.events.bus.listeners", text)
        with open(os.path.join(self.folder, "x.png"), "rb") as source:
            self.assertTrue(source.read(4).endswith(b"PNG"))

    def test_quickstart(self):
        """With the binary under test; the build is tests/run's business."""
        if not os.path.exists("/usr/bin/python3"):
            self.skipTest("the quick start uses /usr/bin/python3")
        text = self.run_example(os.path.join(EXAMPLES, "quickstart"), NECROPY_NO_INSTALL="1")
        self.assertIn("ui.events.bus.listeners", text)
        self.assertIn("listeners.png", text)


if __name__ == "__main__":
    unittest.main()
