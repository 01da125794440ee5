# SPDX-License-Identifier: MIT
# necropy: cores of another root: with it, without it, and with a wrong one; and of another machine, under qemu.
"""NECROPY_ROOTS names folders with other distributions (see oracle/dump.py; chroot needs root); NECROPY_AARCH64_ROOT one
with an aarch64 distribution and /qemu-aarch64-static in it; NECROPY_MUSL an interpreter that was built with musl (PATH or
ROOT:PATH, such as Alpine's in a folder); NECROPY_OTHER a command that runs another build of necropy, such as one for another
machine under qemu-user, which must say the same.  Without them a root is made up: a copy of the interpreter that
is gone when its core is analysed."""
import glob
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest

import support
from support import compare, dump

PROGRAM = "small_shop"
EXACT, MOVED = 0.9999, 0.97


class Roots(support.Case):
    def figures(self, truth, core, folder, *options, status=0):
        verdict = compare.compare(truth, self.export(core, folder, *options, status=status))
        return verdict["figures"]

    def check(self, python, root, living, core, strangers):
        """With its root, with none, and with files of other builds in their place."""
        truth = compare.Truth(living.truth)
        for name, value in self.figures(truth, core, living.folder, "--sysroot", root).items():
            self.assertGreaterEqual(value, EXACT, name)
        home = self.report(core, "--sysroot", root)
        self.assertEqual([path for path in home["core"]["missing_files"] if "python" in path], [])
        self.check_moved(truth, living, core, home, ["--sysroot", "/nonexistent"], "no file found")
        for stranger in strangers:
            self.check_moved(truth, living, core, home, ["--sysroot", "/nonexistent", "--executable", stranger],
                             "another build")

    def check_moved(self, truth, living, core, home, options, why):
        with self.subTest(" ".join(options)):
            report = self.report(core, *options, status=4)
            self.assertTrue(any(why in said for said in report["core"]["missing_files"]), report["core"]["missing_files"])
            err = self.necropy("types", core, *options, status=4)[1]
            self.assertEqual(len(err.strip().splitlines()), 1, err)
            self.assertRegex(err, "was not found here|is of another build here")
            self.assertIn("--sysroot", err)
            counts = [{row["type"]: row["count"] for row in made["types"]} for made in (home, report)]
            for name in counts[0]:
                if name.startswith("small.shop.") or name in ("list", "dict", "set", "function", "module"):
                    self.assertAlmostEqual(counts[1].get(name, 0), counts[0][name], delta=counts[0][name] * 0.02, msg=name)
            self.assertEqual(report["garbage"]["objects"], home["garbage"]["objects"])
            for name, value in self.figures(truth, core, living.folder, *options, status=4).items():
                self.assertGreaterEqual(value, MOVED, name)

    def test_made_up(self):
        """The interpreter lies in a folder that is the root afterwards."""
        python = support.first_python(self)
        here = tempfile.TemporaryDirectory(prefix="necropy-root-")
        self.addCleanup(here.cleanup)
        real = os.path.realpath(python.path)
        copy, moved = os.path.join(here.name, "bin", "python3"), os.path.join(here.name, "root")
        os.makedirs(os.path.dirname(copy))
        shutil.copy(real, copy)
        living = support.Living(PROGRAM, python=copy, truth=True, env={"PYTHONHOME": os.path.dirname(os.path.dirname(real))})
        self.addCleanup(living.close)
        try:
            core = living.dump("gcore")
        except dump.Skip as why:
            self.skipTest(str(why))
        os.makedirs(moved + os.path.dirname(copy))
        shutil.move(copy, moved + copy)
        truth = compare.Truth(living.truth)
        libraries = ["--debug-dir", "/usr/lib/debug"]
        for options in (["--executable", moved + copy], ["--executable", moved + copy] + libraries):
            for name, value in self.figures(truth, core, living.folder, *options).items():
                self.assertGreaterEqual(value, EXACT, name)
        shutil.copy(shutil.which("true"), copy)
        os.unlink(copy) if support.SMALL else None
        err = self.necropy("types", core, status=4)[1]
        self.assertIn("was not found here" if support.SMALL else "is of another build here", err)

    def test_other_distributions(self):
        if support.SMALL or not os.environ.get("NECROPY_ROOTS"):
            self.skipTest("NECROPY_ROOTS names no folders with other distributions")
        found = [path for path in dump._candidates_in_roots() if ":" in path]
        release = [path for path in found if not path.endswith("d")]
        self.assertTrue(release, "no interpreters in the folders of NECROPY_ROOTS")
        for path in release:
            root, inner = dump.split_root(path)
            with self.subTest(path):
                living = support.Living(PROGRAM, python=path, truth=True)
                self.addCleanup(living.close)
                try:
                    core = living.dump("kernel")
                except dump.Skip as why:
                    self.skipTest(str(why))
                self.check(inner, root, living, core, [os.path.realpath(support.first_python(self).path)])


class Qemu:
    """A program under qemu-aarch64, in a root of that machine; its core is the one that qemu writes of its guest."""

    def __init__(self, root, python, program):
        self.folder = tempfile.mkdtemp(prefix="necropy-")
        self.inside = tempfile.mkdtemp(prefix="necropy-", dir=os.path.join(root, "tmp"))
        for name in ("programs", "oracle"):
            shutil.copytree(os.path.join(support.TESTS, name), os.path.join(self.inside, name))
        seen = self.inside[len(root.rstrip("/")):]
        environment = dict(os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", NECROPY_TRUTH=seen + "/truth")
        self.truth = os.path.join(self.inside, "truth")

        def enter():
            dump._allow_cores()
            os.chroot(root)
            os.chdir(seen)

        self.process = subprocess.Popen(["/qemu-aarch64-static", python, "%s/programs/%s.py" % (seen, program)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, preexec_fn=enter)

    def dump(self):
        if not self.process.stdout.readline().startswith(b"ready"):
            raise RuntimeError("the program did not get ready")
        time.sleep(0.3)
        self.process.send_signal(6)
        self.process.wait(dump.PATIENCE)
        cores = glob.glob(os.path.join(self.inside, "qemu_*.core"))
        if not cores:
            raise dump.Skip("qemu wrote no core")
        return cores[0]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.inside, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Machines(support.Case):
    def test_aarch64(self):
        root = os.environ.get("NECROPY_AARCH64_ROOT", "").rstrip("/")
        if support.SMALL or not os.path.exists(root + "/qemu-aarch64-static"):
            self.skipTest("NECROPY_AARCH64_ROOT names no aarch64 root with /qemu-aarch64-static")
        python = [path for path in sorted(glob.glob(root + "/usr/bin/python3.*")) if path[-1].isdigit()][-1]
        living = Qemu(root, python[len(root):], PROGRAM)
        self.addCleanup(living.close)
        core = living.dump()
        truth = compare.Truth(living.truth)
        for options in ([], ["--ignore-debug-info"]):
            figures = compare.compare(truth, self.export(core, living.folder, "--sysroot", root, *options))["figures"]
            print(core, options, figures)
            for name, value in figures.items():
                self.assertGreaterEqual(value, EXACT, name)
        report = self.report(core, "--sysroot", root)
        self.assertEqual(report["core"]["machine"], "aarch64")
        self.assertEqual(report["coverage"]["unreadable"], {})
        self.assertGreater(report["coverage"]["by_walk"].get("emulated", 0), 0)
        self.assertEqual(report["garbage"]["objects"], 642)

    def test_musl(self):
        path = os.environ.get("NECROPY_MUSL", "")
        if not path:
            self.skipTest("NECROPY_MUSL names no interpreter that was built with musl")
        root = dump.split_root(path)[0]
        living = support.Living(PROGRAM, python=path, truth=True)
        self.addCleanup(living.close)
        core = living.dump("kernel")
        truth = compare.Truth(living.truth)
        for options in ([], ["--ignore-debug-info"]):
            options += ["--sysroot", root] if root else []
            figures = compare.compare(truth, self.export(core, living.folder, *options))["figures"]
            print(path, options, figures)
            for name, value in figures.items():
                self.assertGreaterEqual(value, EXACT, name)
        report = self.report(core, *(["--sysroot", root] if root else []))
        self.assertIn("no glibc", report["memory"]["note"])
        self.assertEqual(report["garbage"]["objects"], 642)
        self.assertEqual(report["coverage"]["unreadable"], {})
        self.assertEqual(report["coverage"]["reference_counts"]["unexplained"], 0)
        self.assertEqual(sorted(thread["name"] for thread in report["threads"]), ["MainThread", "dispatcher"])

    def test_other_build(self):
        other = shlex.split(os.environ.get("NECROPY_OTHER", ""))
        if not other:
            self.skipTest("NECROPY_OTHER is no command that runs another build of necropy")
        living, core = self.dumped(PROGRAM, support.first_python(self))
        for command in (["report", "--json", "-"], ["export", "--format", "ndjson", "-o", "-"], ["layout"], ["verify"]):
            command += [core, "--no-cache"]
            done = subprocess.run(other + command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=support.PATIENCE)
            self.assertEqual(done.returncode, 0, command)
            self.assertTrue(done.stdout.decode() == self.necropy(*command)[0], command)


if __name__ == "__main__":
    unittest.main()
