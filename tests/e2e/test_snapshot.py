# SPDX-License-Identifier: MIT
# necropy: a snapshot says what its core says, byte for byte, without the core and without any file of its machine; a
# damaged one is refused and never answered from.
import os
import random
import shutil
import struct
import subprocess
import unittest

import support


# A snapshot without finished answers: everything is done again from the memory in it.
MEMORY = "--memory-only"

COMMANDS = (
    ("report",), ("report", "--json", "-"), ("findings", "--json"), ("types", "--json", "--limit", "0"),
    ("retained", "--json"), ("cycles", "--json"), ("garbage", "--json"), ("threads",), ("threads", "--json"),
    ("tasks", "--json"), ("memory", "--json"), ("layout",), ("layout", "--json"), ("show", "--type", "dict"),
    ("path", "--type", "dict"), ("export", "--format", "ndjson"), ("allocations", "--json"), ("verify", "--json"),
    ("backrefs", "--type", "dict"), ("refs", "--type", "dict"), ("diff",),
)


def sections(data):
    """(tag, offset, stored bytes, flags) of each, by the table (dumpfmt/README.md)."""
    table, = struct.unpack_from("<Q", data, 24)
    count, = struct.unpack_from("<I", data, 32)
    for at in range(table, table + 64 * count, 64):
        tag, offset, stored, flags = struct.unpack_from("<16sQQ12xI", data, at)
        yield tag.rstrip(b"\0").decode(), offset, stored, flags


class Snapshot(support.Case):
    def answers(self, path, command, *options):
        """(status, stdout, stderr) of a command, without what only names the file."""
        files = (path, path) if command[0] == "diff" else (path,)
        status, out, err = self.run_necropy(command[0], *files, *command[1:], "--quiet", *options)
        for name in (path, os.path.basename(path), "original.core"):
            out, err = out.replace(name, "FILE"), err.replace(name, "FILE")
        return status, out.replace(os.path.dirname(path) + "/", ""), err

    def made(self, core, name, *options):
        path = os.path.join(os.path.dirname(core), name)
        self.assertEqual(self.necropy("snapshot", core, "-o", path, "--quiet", *options), ("", ""))
        return path

    def compare(self, core, *options):
        # Names as long as one another: tables have the width of what is in them.
        original = os.path.join(os.path.dirname(core), "original.core")
        os.rename(core, original)
        core = original
        snapshots = self.made(core, "snapshot.core", *options), self.made(core, "memories.core", MEMORY, *options)
        self.assertLess(os.path.getsize(snapshots[0]), os.path.getsize(core) / 2)
        for command in COMMANDS:
            expected = self.answers(core, command, *options)
            for snapshot in snapshots:
                with self.subTest(" ".join(command) + " " + os.path.basename(snapshot)):
                    # Whatever is on this machine: nothing of it may be looked at.
                    got = self.answers(snapshot, command, "--sysroot", "/nonexistent", "--no-cache")
                    self.assertEqual(got, expected)

    def test_says_what_its_core_says(self):
        for python in support.usual(support.pythons(self)):
            with self.subTest(python.name):
                living, core = self.dumped("small_shop", python)
                self.compare(core, *support.options_for(python))
                living.close()

    def test_kernel_cores_with_threads_and_tracemalloc(self):
        for program, arguments in (("threads", ()), ("traced", ("5",))):
            with self.subTest(program):
                living, core = self.dumped(program, support.first_python(self), "kernel", arguments)
                self.compare(core)
                living.close()


class OneSnapshot(Snapshot):
    @classmethod
    def setUpClass(cls):
        found = support.dump.interpreters()[0]
        if not found:
            raise unittest.SkipTest("no Python with debug information (Debian: python3-dbg)")
        cls.python = found[0].path
        cls.living = support.Living("leak_bus", python=cls.python, env={"NECROPY_LEAK": "300"})
        cls.addClassCleanup(cls.living.close)
        try:
            cls.core = cls.living.dump("gcore")
        except support.dump.Skip as why:
            raise unittest.SkipTest(str(why))
        cls.snapshot = os.path.join(cls.living.folder, "a.necro")

    test_says_what_its_core_says = test_kernel_cores_with_threads_and_tracemalloc = None

    def setUp(self):
        self.made(self.core, "a.necro", MEMORY)

    def test_the_same_bytes_whatever_the_jobs(self):
        with open(self.snapshot, "rb") as source:
            expected = source.read()
        for jobs in ("1", "2", "8"):
            with open(self.made(self.core, "b.necro", MEMORY, "--jobs", jobs), "rb") as source:
                self.assertEqual(source.read(), expected, "%s jobs" % jobs)

    def test_a_snapshot_of_a_snapshot_is_the_same(self):
        with open(self.snapshot, "rb") as first, open(self.made(self.snapshot, "b.necro", MEMORY), "rb") as second:
            self.assertEqual(first.read(), second.read())

    def test_nothing_of_the_machine_is_needed(self):
        expected = self.answers(self.core, ("report", "--json", "-"))
        moved = os.path.join(self.living.folder, "moved")
        os.mkdir(moved)
        shutil.copy(self.snapshot, moved)
        hidden = self.core + ".hidden"
        os.rename(self.core, hidden)
        self.addCleanup(os.rename, hidden, self.core)
        got = self.answers(os.path.join(moved, "a.necro"), ("report", "--json", "-"))
        self.assertEqual(got[1], expected[1])

    def test_compressed(self):
        subprocess.run(["gzip", "-kf", self.snapshot], check=True)
        self.assertEqual(self.answers(self.snapshot + ".gz", ("report",)), self.answers(self.snapshot, ("report",)))

    def test_of_a_cut_core(self):
        """A part of the core is missing: the snapshot is made, and says so as the core does."""
        cut = os.path.join(self.living.folder, "cut.core")
        with open(self.core, "rb") as source, open(cut, "wb") as target:
            target.write(source.read(os.path.getsize(self.core) * 9 // 10))
        status, _, err = self.run_necropy("snapshot", cut, "-o", cut + ".s", MEMORY, "--quiet")
        expected = self.run_necropy("threads", cut, "--quiet")
        self.assertEqual((status, err), (expected[0], expected[2]))
        if status != 3:
            self.assertEqual(status, 4)
            self.assertEqual(self.run_necropy("threads", cut + ".s", "--quiet")[1], expected[1])

    def unreadable(self):
        """A core with noise in its memory, of which not all can be read; its path."""
        with open(self.core, "rb") as source:
            whole = source.read()
        path = os.path.join(self.living.folder, "noise.core")
        for seed in range(20):
            data, generator = bytearray(whole), random.Random(seed)
            for _ in range(60):
                at = generator.randrange(len(data) // 4, len(data) * 3 // 4) & ~7
                data[at:at + 64] = bytes(generator.randrange(256) for _ in range(64))
            with open(path, "wb") as target:
                target.write(data)
            if self.run_necropy("types", path, "--quiet")[0] == 4:
                return path
        self.fail("no noise does harm")

    def test_what_could_not_be_read_is_said(self):
        """Also by commands that take the graph as it was saved."""
        core = self.unreadable()
        snapshot = os.path.join(self.living.folder, "noise.necro")
        self.assertEqual(self.run_necropy("snapshot", core, "-o", snapshot, "--quiet")[0], 4)
        for command in (("types",), ("show", "--type", "dict"), ("path", "--type", "dict"), ("memory",)):
            expected = self.answers(core, command)
            self.assertEqual(expected[0], 4)
            self.assertEqual(self.answers(snapshot, command)[::2], expected[::2])

    def test_usage(self):
        self.assertIn("-o FILE.necro", self.necropy("snapshot", self.core, status=2)[1])
        self.assertIn("standard output", self.necropy("snapshot", self.core, "-o", "-", status=2)[1])
        self.assertIn("no regular file", self.necropy("snapshot", self.core, "-o", "/dev/null", status=2)[1])
        before = sorted(os.listdir(self.living.folder))
        self.necropy("snapshot", self.core, "-o", os.path.join(self.living.folder, "none", "x"), status=3)
        self.assertEqual(sorted(os.listdir(self.living.folder)), before)

    def changed(self, data, name="damaged.necro"):
        path = os.path.join(self.living.folder, name)
        with open(path, "wb") as target:
            target.write(data)
        return path

    def test_damage_is_refused(self):
        """Whatever byte is changed: a command says what it said before, because it did not need it, or nothing."""
        with open(self.snapshot, "rb") as source:
            data = bytearray(source.read())
        commands = (("report", "--json", "-"), ("threads",), ("show", "--type", "dict"), ("layout",))
        expected = [self.answers(self.snapshot, command) for command in commands]
        refused, generator = 0, random.Random(6)
        for _ in range(4 if support.SMALL else 25):
            at, bit = generator.randrange(len(data)), 1 << generator.randrange(8)
            data[at] ^= bit
            path = self.changed(data)
            for command, good in zip(commands, expected):
                with self.subTest("byte %d, %s" % (at, command)):
                    got = self.answers(path, command)
                    if got != good:
                        self.assertEqual(got[:2], (3, ""))
                        self.assertIn("this snapshot is damaged: ", got[2])
                        refused += 1
            data[at] ^= bit
        self.assertGreater(refused, 0)

    def test_damage_is_refused_where_it_is_read(self):
        """Large sections are checked part by part, amidst of reading them: nothing is said then, and nothing left."""
        living = support.Living("leak_bus", python=self.python, env={"NECROPY_LEAK": "20000"})
        self.addCleanup(living.close)
        snapshot = self.made(living.dump("gcore"), "large.necro")
        with open(snapshot, "rb") as source:
            data = bytearray(source.read())
        large = [row for row in sections(data) if row[3] == 0 and row[2] >= 1 << 18]
        self.assertGreater(len(large), 5)
        target = os.path.join(living.folder, "picture.dot")
        commands = (("path", "--type", "list"), ("refs", "--type", "list", "-o", target), ("export", "--format", "ndjson"))
        expected = [self.answers(snapshot, command) for command in commands]
        refused, before = 0, sorted(os.listdir(living.folder))
        for tag, offset, size, _ in large[::3] if support.SMALL else large:
            with open(snapshot, "r+b") as changed:
                at = offset + size // 3
                changed.seek(at)
                changed.write(bytes([data[at] ^ 1]))
            for command, good in zip(commands, expected):
                with self.subTest("%s, %s" % (tag, command)):
                    got = self.answers(snapshot, command)
                    if got != good:
                        self.assertEqual(got[:2], (3, ""))
                        self.assertIn("this snapshot is damaged: its section %s" % tag, got[2])
                        refused += 1
                    self.assertEqual(sorted(os.listdir(living.folder)), before)
            with open(snapshot, "r+b") as changed:
                changed.seek(at)
                changed.write(data[at:at + 1])
        self.assertGreater(refused, 5)

    def test_cut_ones_are_refused(self):
        with open(self.snapshot, "rb") as source:
            data = source.read()
        for part in range(1, 50):
            path = self.changed(data[:len(data) * part // 50])
            out, err = self.necropy("report", path, status=3)
            self.assertEqual(out, "")
            self.assertIn("this snapshot is damaged: it ends too early", err)

    def test_another_format_is_refused(self):
        with open(self.snapshot, "rb") as source:
            data = bytearray(source.read())
        data[12:16] = struct.pack("<I", 99)
        self.assertIn("this snapshot", self.necropy("report", self.changed(data), status=3)[1])


if __name__ == "__main__":
    unittest.main()
