# SPDX-License-Identifier: MIT
# necropy: what is no core, no Python, cut or damaged: one clear sentence, the right exit status, nothing left behind.
import json
import os
import random
import shutil
import struct
import subprocess
import time
import unittest

import support


class BadInput(support.Case):
    def setUp(self):
        living = support.Living("garbage_debug", python=support.first_python(self).path)
        self.addCleanup(living.close)
        self.folder = living.folder
        self.living = living

    def core(self):
        try:
            return self.living.kernel()
        except support.dump.Skip as why:
            self.skipTest(str(why))

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(content)
        return path

    def refused(self, path, *words, status=3):
        """One sentence on stderr, nothing on stdout; no output file, and none half-written."""
        before = set(os.listdir(self.folder))
        out, err = self.necropy("report", path, status=status)
        self.assertEqual(out, "")
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        for word in words:
            self.assertIn(word, err)
        self.necropy("export", path, "--format", "ndjson", "-o", os.path.join(self.folder, "x.ndjson"), status=status)
        self.necropy("report", path, "--json", os.path.join(self.folder, "x.json"), status=status)
        self.assertEqual(set(os.listdir(self.folder)), before, "files were left behind")
        return err

    def test_no_file(self):
        self.refused(os.path.join(self.folder, "nowhere"), "nowhere")

    def test_folder(self):
        self.refused(self.folder)

    def test_empty(self):
        self.refused(self.write("empty", b""), "empty")

    def test_text(self):
        self.refused(self.write("text", b"I am no core\n" * 1000), "text")

    def test_short_elf(self):
        self.refused(self.write("short", b"\x7fELF\x02\x01\x01"), "short")

    def test_program_instead_of_core(self):
        self.refused(shutil.which("true"), "core")

    def test_other_class_and_byte_order(self):
        with open(shutil.which("true"), "rb") as source:
            head = bytearray(source.read(4096))
        struct.pack_into("<H", head, 16, 4)
        head[4] = 1
        self.refused(self.write("class", bytes(head)))
        head[4], head[5] = 2, 2
        self.refused(self.write("order", bytes(head)))

    def test_other_machine(self):
        with open(self.core(), "rb") as source:
            head = bytearray(source.read(1 << 20))
        struct.pack_into("<H", head, 18, 21)  # EM_PPC64
        self.refused(self.write("machine", bytes(head)))

    def test_no_python_inside(self):
        sleeper = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
        try:
            time.sleep(0.3)
            subprocess.run(["gcore", "-o", os.path.join(self.folder, "sleep"), str(sleeper.pid)], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.SubprocessError):
            self.skipTest("gcore is missing or may not attach")
        finally:
            sleeper.kill()
            sleeper.wait()
        self.refused(os.path.join(self.folder, "sleep.%d" % sleeper.pid), "Python")

    def test_truncated(self):
        path = self.core()
        size = os.path.getsize(path)
        for number, length in enumerate((64, 200, 5000, size // 100, size // 10, size // 2, size * 9 // 10, size - 1)):
            with self.subTest(length=length):
                cut = os.path.join(self.folder, "cut%d" % number)
                with open(path, "rb") as source, open(cut, "wb") as out:
                    shutil.copyfileobj(_Limited(source, length), out)
                done, out, err = self.run_necropy("report", cut)
                self.assertIn(done, (3, 4))
                self.assertTrue(err.strip(), "it says nothing")
                self.assertEqual(bool(out), done == 4, "what was read is reported, with status 4 only")
                if done == 4:
                    self.assertTrue(self.report_of(cut)["core"]["truncated"])
                os.unlink(cut)

    def report_of(self, core):
        return json.loads(self.necropy("report", core, "--json", "-", status=4)[0])

    def test_damaged(self):
        """Random bytes and words of a core changed: any honest status, no crash, no hang."""
        with open(self.core(), "rb") as source:
            whole = source.read()
        chance = random.Random(20)
        for number in range(4 if support.SMALL else 12):
            with self.subTest(number=number):
                bad = bytearray(whole)
                low = 0 if number % 3 == 0 else 65536
                high = 65536 if number % 3 == 0 else len(bad)
                for _ in range(30 if number % 3 == 0 else 20000):
                    place = chance.randrange(low, high - 8)
                    if number % 3 == 2:
                        struct.pack_into("<Q", bad, place & ~7, chance.choice(
                            (0, 1, 2 ** 63, 2 ** 64 - 1, chance.getrandbits(47), 2 ** 31)))
                    else:
                        bad[place] = chance.getrandbits(8)
                path = self.write("bad", bytes(bad))
                status, out, err = self.run_necropy("report", path, "--json", "-")
                self.assertIn(status, (0, 3, 4))
                self.assertTrue(out or err)
                self.assertIn(self.run_necropy("export", path, "--format", "ndjson")[0], (0, 3, 4))

    def test_missing_executable(self):
        """The interpreter is not where it was: it is named, with the option that helps."""
        python = os.path.realpath(support.first_python(self).path)
        copy = os.path.join(self.folder, "moved-python")
        shutil.copy(python, copy)
        with support.Living("garbage_debug", python=copy, env={"PYTHONHOME": os.path.dirname(os.path.dirname(
                os.path.realpath(python)))}) as living:
            try:
                core = living.kernel()
            except support.dump.Skip as why:
                self.skipTest(str(why))
            os.unlink(copy)
            out, err = self.necropy("report", core, status=None)
            self.assertIn("moved-python", err)
            self.assertIn("--executable", err + out)
            self.necropy("report", core, "--executable", python)

    def test_no_debug_information(self):
        python = os.path.realpath(support.first_python(self).path)
        copy = os.path.join(self.folder, "stripped-python")
        if not shutil.which("objcopy") or support.first_python(self).name.startswith("build"):
            self.skipTest("objcopy (binutils) and Debian's python3 are needed")
        subprocess.run(["objcopy", "--strip-debug", "--remove-section=.note.gnu.build-id",
                        "--remove-section=.gnu_debuglink", python, copy], check=True)
        with support.Living("garbage_debug", python=copy) as living:
            try:
                core = living.kernel()
            except support.dump.Skip as why:
                self.skipTest(str(why))
            # The version is known, so its layout is; that it was not read from debug information is said.
            made = self.report(core)
            self.assertNotIn("DWARF", made["python"]["layout_source"])
            self.assertEqual(made["garbage"]["objects"], 0)
            self.assertEqual(sum(row["count"] for row in made["types"] if row["type"] == "__main__.Job"), 500)

    def test_output_that_cannot_be_written(self):
        core = self.core()
        out, err = self.necropy("export", core, "--format", "ndjson", "-o", "/nowhere/x.ndjson", status=None)
        self.assertIn("/nowhere", err)
        self.assertEqual(len(err.strip().splitlines()), 1, err)


class Usage(support.Case):
    def test_usage(self):
        for arguments in ((), ("nonsense",), ("report",), ("report", "a", "--nonsense"), ("show", "a", "not-an-address"),
                          ("export", "a", "--format", "nonsense"), ("backrefs", "a")):
            with self.subTest(arguments):
                out, err = self.necropy(*arguments, status=2)
                self.assertEqual(out, "")
                self.assertTrue(err.strip())

    def test_help_and_version(self):
        self.assertIn("report", self.necropy("--help")[0])
        self.assertRegex(self.necropy("--version")[0], r"necropy \d+\.\d+\.\d+")
        self.assertIn("--json", self.necropy("report", "--help")[0])


class _Limited:
    """The first bytes of a file."""

    def __init__(self, source, left):
        self.source, self.left = source, left

    def read(self, size):
        got = self.source.read(min(size, self.left))
        self.left -= len(got)
        return got


if __name__ == "__main__":
    unittest.main()
