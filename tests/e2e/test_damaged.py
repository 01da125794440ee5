# SPDX-License-Identifier: MIT
# necropy: wrapped, cut, sparse, filtered cores: all that is readable is read, and what is not there is said.
"""One small process, dumped by gcore and by the kernel; everything else is done to copies of these cores."""
import collections
import json
import os
import resource
import shutil
import struct
import subprocess
import unittest

import support
from support import compare

ORDERS = 1234
SUFFIXES = {"zstd": ".gz", "xz": ".lz4", "lz4": ".txt", "gzip": ".zst"}  # none is true
FILTERS = (0x33, 0x37, 0x3f, 0x7f, 0x31, 0x23, 0x01)
NO_HEAP = 0x20  # of the anonymous memory nothing but huge pages
PT_NULL, PT_LOAD, PT_NOTE, WRITABLE = 0, 1, 4, 2


class Headers:
    """The program headers of a core in memory, to be bent."""

    def __init__(self, image):
        self.image = image
        self.at, self.count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]

    def __iter__(self):
        for index in range(self.count):
            at = self.at + 56 * index
            kind, flags, offset, address, _, size, memory = struct.unpack_from("<IIQQQQQ", self.image, at)
            yield at, kind, flags, offset, address, size, memory


def present(path):
    """[(start, end), ...] of the writable memory of a core that its file has."""
    length = os.path.getsize(path)
    with open(path, "rb") as source:
        image = source.read(1 << 20)
    return [(address, address + min(size, max(0, length - offset)))
            for _, kind, flags, offset, address, size, _ in Headers(image) if kind == PT_LOAD and flags & WRITABLE]


class Damaged(support.Case):
    """The cores are taken once for all."""
    cores, whole, folder, python = {}, {}, None, None

    @classmethod
    def setUpClass(cls):
        if Damaged.folder:
            return
        Damaged.python = support.first_python(cls("setUp"))
        for how in ("gcore", "kernel"):
            living = support.Living("small_shop", python=Damaged.python.path)
            unittest.addModuleCleanup(living.close)
            Damaged.folder = living.folder
            try:
                cls.cores[how] = living.dump(how)
            except support.dump.Skip as why:
                print("skipped: %s: %s" % (how, why))

    def setUp(self):
        if self._testMethodName != "setUp" and not self.cores:
            self.skipTest("no core could be taken here")

    def counts(self, report):
        return {row["type"]: row["count"] for row in report["types"]}

    def of_whole(self, how):
        if how not in self.whole:
            report = self.report(self.cores[how])
            self.assertIsNone(report["coverage"]["cut"])
            self.assertTrue(report["coverage"]["complete"])
            self.assertEqual(self.counts(report)["small.shop.Order"], ORDERS)
            self.whole[how] = report, self.export(self.cores[how], self.folder)
        return self.whole[how]

    def write(self, name, image):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as out:
            out.write(image)
        self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
        return path

    def read(self, how):
        with open(self.cores[how], "rb") as source:
            return bytearray(source.read())

    def check_true(self, export, whole):
        """What a part of a core shows is what the whole shows."""
        # Frozen modules that nobody imported are constants in C data, which only a search of the memory finds.
        frozen = ("str", "bytes", "tuple", "code", "int", "slice", "moduledef", "type")
        strange = [line for address, line in export.items() if address not in whole and line["type"] not in frozen]
        self.assertLessEqual(len(strange), len(export) // 2000, strange[:3])
        other = sum(line["type"] != whole[address]["type"] for address, line in export.items() if address in whole)
        self.assertLessEqual(other, len(export) // 5)  # names may be what was lost


class Wrapped(Damaged):
    def check_same(self, report, how, container):
        whole = self.of_whole(how)[0]
        self.assertEqual(report["core"]["container"], container)
        self.assertFalse(report["core"]["truncated"])
        self.assertEqual(report["core"]["bytes"], whole["core"]["bytes"])
        for part in ("types", "garbage", "cycles", "coverage"):
            self.assertEqual(report[part], whole[part])

    def compressed(self, tool, core, suffix):
        if not shutil.which(tool):
            self.skipTest("%s is not installed" % tool)
        path = os.path.join(self.folder, "wrapped" + suffix)
        with open(path, "wb") as out:
            subprocess.run([tool, "-1", "-c", core], stdout=out, stderr=subprocess.DEVNULL, check=True)
        self.addCleanup(os.unlink, path)
        return path

    def check_tool(self, tool):
        how = "kernel" if "kernel" in self.cores else "gcore"
        path = self.compressed(tool, self.cores[how], SUFFIXES[tool])
        self.check_same(self.report(path), how, tool)
        size = os.path.getsize(path)
        if tool == "zstd":
            out, err = self.necropy("report", path, "--max-size", "1M", status=3)
            self.assertEqual(out, "")
            self.assertIn("1 MB" if "1 MB" in err else "1", err)
        with open(path, "rb+") as cut:
            cut.truncate(size * 3 // 4)
        status, out, err = self.run_necropy("report", path, "--json", "-")
        self.assertIn(status, (3, 4), err)
        self.assertIn(tool, err)
        if status == 4:
            report = json.loads(out)
            self.assertTrue(report["core"]["truncated"])
            self.assertIn(tool, report["coverage"]["cut"])

    def test_zstd(self):
        self.check_tool("zstd")

    def test_xz(self):
        self.check_tool("xz")

    def test_lz4(self):
        self.check_tool("lz4")

    def test_gzip(self):
        self.check_tool("gzip")

    def test_pipe(self):
        how, core = next(iter(self.cores.items()))
        for path, container in ((core, "pipe"), (self.compressed("gzip", core, ".raw"), "gzip")):
            with self.subTest(container), open(path, "rb") as source:
                done = subprocess.run("cat | %s report - --json - --no-cache" % support.NECROPY, shell=True, stdin=source,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=support.PATIENCE)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.check_same(json.loads(done.stdout.decode()), how, container)


class Cut(Damaged):
    def test_cut(self):
        for how, core in self.cores.items():
            whole = self.of_whole(how)[1]
            size = os.path.getsize(core)
            found = []
            for percent in (20, 50, 80, 99):
                with self.subTest(percent=percent):
                    cut = shutil.copy(core, os.path.join(self.folder, "cut"))
                    os.truncate(cut, size * percent // 100)
                    report = self.report(cut, status=4)
                    self.assertTrue(report["core"]["truncated"])
                    self.assertGreater(report["core"]["lost_bytes"], 0)
                    self.assertLessEqual(report["core"]["lost_bytes"], size - os.path.getsize(cut))
                    self.assertFalse(report["coverage"]["complete"])
                    self.assertRegex(report["coverage"]["cut"], r"\d B|\d [kM]B")
                    text, err = self.necropy("report", cut, status=4)
                    self.assertIn("The core is truncated", text)
                    self.assertIn("is truncated", err)
                    export = self.export(cut, self.folder, status=4)
                    self.assertEqual(report["coverage"]["objects"], len(export))
                    self.check_true(export, whole)
                    self.check_readable(cut, export, whole)
                    found.append(len(export))
            self.assertEqual(found, sorted(found))
            self.assertGreater(found[-1], len(whole) * 0.7)

    def check_readable(self, cut, export, whole):
        """Of the objects whose memory is there most are found, whatever led to them. How many depends on which types lie
        behind the cut, and so on where this process happened to have them: 0.86 to 0.99 were seen."""
        spans = present(cut)
        there = [address for address, line in whole.items()
                 if any(start <= address and address + max(16, line["size"]) <= end for start, end in spans)]
        got = sum(address in export for address in there)
        print("%d objects in memory that is there, %d found" % (len(there), got))
        self.assertGreaterEqual(got, len(there) * 0.7)

    def test_without_notes(self):
        for how in self.cores:
            image = self.read(how)
            for at, kind, *_ in Headers(image):
                if kind == PT_NOTE:
                    struct.pack_into("<I", image, at, PT_NULL)
            report = self.report(self.write("bare", image), status=4)
            self.assertIn("notes", report["coverage"]["cut"])
            self.assertEqual(self.counts(report)["small.shop.Order"], ORDERS)
            whole = self.counts(self.of_whole(how)[0])
            self.assertEqual({name: count for name, count in self.counts(report).items() if name in whole}, whole)

    def test_cut_notes(self):
        """gdb writes the notes last."""
        if "gcore" not in self.cores:
            self.skipTest("no core by gcore")
        image = self.read("gcore")
        last = max(offset for _, kind, _, offset, *_ in Headers(image) if kind == PT_NOTE)
        self.assertGreater(last, len(image) // 2)
        report = self.report(self.write("half", image[:last + 100]), status=4)
        self.assertGreater(report["core"]["lost_notes_bytes"], 0)
        self.assertIn("notes", report["coverage"]["cut"])
        self.assertEqual(self.counts(report)["small.shop.Order"], ORDERS)


class Lengths(Damaged):
    """Lengths that reach to the end of their memory lay all texts over each other: what is read of them must stay near
    what the dump has, not be their number times it."""

    def lengthen(self, image, whole, kind):
        """Makes the objects of a type reach to the end of their memory; returns how many."""
        count, segments = 0, [row[3:] for row in Headers(image) if row[1] == PT_LOAD]
        for address in (address for address, line in whole.items() if line["type"] == kind):
            for offset, start, size, _ in segments:
                if start <= address < start + size - 64:
                    struct.pack_into("<Q", image, offset + address - start + 16, start + size - address - 64)
                    count += 1
        return count

    def seconds(self, path):
        """Of the processor."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        status, _, err = self.run_necropy("report", path, "--json", "-", "--jobs", "1")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.assertIn(status, (0, 3, 4), err)
        return after.ru_utime - before.ru_utime

    def test_lengths(self):
        how, core = next(iter(self.cores.items()))
        whole = self.of_whole(how)[1]
        usual = self.seconds(core)
        image = self.read(how)
        self.assertGreater(self.lengthen(image, whole, "str"), 1000)
        self.assertLess(self.seconds(self.write("long", image)), 8 * usual + 2)


class Holes(Damaged):
    def test_zeros(self):
        """A part of the heap is zeros, as after a damaged disk: a hole in the file."""
        for how, core in self.cores.items():
            whole = self.of_whole(how)[1]
            places = collections.Counter(address >> 14 for address, line in whole.items() if line["type"] == "small.shop.Order")
            place = places.most_common(1)[0][0] << 14
            image = self.read(how)
            for _, kind, _, offset, address, size, _ in Headers(image):
                if kind == PT_LOAD and address <= place < address + size:
                    start = offset + place - address
                    image[start:start + (1 << 14)] = bytes(1 << 14)
            path = self.write("holed", image)
            report = self.report(path, status=4)
            self.assertTrue(report["coverage"]["unreadable"])
            self.assertFalse(report["coverage"]["complete"])
            lost = sum(address >> 14 == place >> 14 for address in whole)
            export = self.export(path, self.folder, status=4)
            self.assertGreater(len(export), (len(whole) - lost) * 0.8)

    def test_segments(self):
        """A segment of the heap was not written at all."""
        for how, core in self.cores.items():
            whole = self.of_whole(how)[1]
            image = self.read(how)
            orders = [address for address, line in whole.items() if line["type"] == "small.shop.Order"]
            counted = []
            for at, kind, flags, _, address, size, _ in Headers(image):
                if kind == PT_LOAD and flags & WRITABLE:
                    counted.append((sum(address <= order < address + size for order in orders), at, size))
            _, at, size = max(counted)
            struct.pack_into("<Q", image, at + 32, 0)
            report = self.report(self.write("lacking", image), status=4)
            self.assertGreaterEqual(report["core"]["left_out_bytes"], size)
            self.assertTrue(report["coverage"]["unreadable"])


class Filtered(Damaged):
    def dumped_with(self, value, how):
        living = support.Living("small_shop", python=self.python.path)
        self.addCleanup(living.close)
        try:
            with open("/proc/%d/coredump_filter" % living.pid, "w") as out:
                out.write(hex(value))
            return living.dump(how)
        except (OSError, support.dump.Skip) as why:
            self.skipTest("%#x, %s: %s" % (value, how, why))

    def test_filters(self):
        for how in self.cores:
            for value in FILTERS if how == "kernel" and not support.SMALL else FILTERS[:2]:
                with self.subTest(filter=hex(value), how=how):
                    report = self.report(self.dumped_with(value, how))
                    self.assertEqual(self.counts(report)["small.shop.Order"], ORDERS)
                    self.assertTrue(report["coverage"]["complete"])
                    self.assertEqual(report["garbage"]["objects"], 642)

    def test_without_heap(self):
        for how in self.cores:
            with self.subTest(how):
                out, err = self.necropy("report", self.dumped_with(NO_HEAP, how), status=3)
                self.assertEqual(out, "")
                self.assertEqual(len(err.strip().splitlines()), 1, err)


if __name__ == "__main__":
    unittest.main()
