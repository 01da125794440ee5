# SPDX-License-Identifier: MIT
# necropy: a redacted snapshot holds no data of the dead process, in no encoding and in no piece, and the same heap.
import json
import os
import re
import struct
import subprocess
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.TESTS, "programs"))
from confidential import KINDS, token  # noqa: E402

PIECE = 6  # characters: a shorter one is anywhere by accident
PACKED, PARTS = 1, 2
BLOCK = 1 << 20
HEADER, ENTRY, CHUNK, RANGE = struct.Struct("<8sIIQQIIQ"), struct.Struct("<16sQQQIIQQ"), 24, 32


def pieces_of(data, sizes, size_of):
    """Of what is stored behind one another: what is compressed (frames), and what is not."""
    frames, plain, at = [], [], 0
    for index, size in enumerate(sizes):
        (plain if size == size_of(index) else frames).append(data[at:at + size])
        at += size
    return frames, plain


def chunk_sizes(ranges):
    """Of each row of mem.chunks: how many bytes the chunk has."""
    sizes = []
    for at in range(0, len(ranges), RANGE):
        start, end, _, origin = struct.unpack_from("<QQQB", ranges, at)
        if origin:
            while start < end:
                following = min((start | 0xffff) + 1, end)
                sizes.append(following - start)
                start = following
            sizes.append(0)
    return sizes


class File:
    """A FILE.necro as dumpfmt/README.md specifies it."""

    def __init__(self, path):
        with open(path, "rb") as source:
            self.data = source.read()
        _, _, _, size, table, count, _, _ = HEADER.unpack_from(self.data)
        assert size == len(self.data)
        self.sections = {}
        for at in range(count):
            row = ENTRY.unpack_from(self.data, table + at * ENTRY.size)
            self.sections[row[0].rstrip(b"\0").decode()] = row[1:]

    def unpack(self, frames):
        done = subprocess.run(["zstd", "-dcq"], input=b"".join(frames), stdout=subprocess.PIPE, check=True)
        return done.stdout

    def section(self, tag):
        offset, stored, count, element, flags, _, _ = self.sections[tag]
        data = self.data[offset:offset + stored]
        if not flags & PACKED:
            return data
        total = count * element
        blocks = (total + BLOCK - 1) // BLOCK
        sizes = struct.unpack_from("<%dI" % blocks, data, stored - 4 * blocks)
        out, at = b"", 0
        for index, size in enumerate(sizes):
            whole = min(BLOCK, total - index * BLOCK)
            piece = data[at:at + size]
            out += bytes(whole) if not size else piece if size == whole else self.unpack([piece])
            at += size
        return out

    def everything(self):
        """All that is in it, unpacked; what of memory is compressed comes before what is not."""
        ranges, chunks = self.section("mem.ranges"), self.section("mem.chunks")
        offset, stored = self.sections["mem.bytes"][:2]
        memory, frames, plain = self.data[offset:offset + stored], [], []
        for index, size in enumerate(chunk_sizes(ranges)):
            at, length = struct.unpack_from("<QI", chunks, index * CHUNK)
            if length:
                (plain if length == size else frames).append(memory[at:at + length])
        parts = [self.unpack(frames)] + plain
        return b"\n".join(parts + [self.section(tag) for tag in sorted(self.sections) if tag != "mem.bytes"])


def digits_of(number):
    """An int as CPython stores it: 30 bits a word."""
    digits = []
    while number:
        digits.append(number & (1 << 30) - 1)
        number >>= 30
    return struct.pack("<%dI" % len(digits), *digits)


def words_of(number):
    """A Decimal as libmpdec stores it: 19 decimal digits a word."""
    words = []
    while number:
        number, word = divmod(number, 10 ** 19)
        words.append(word)
    return struct.pack("<%dQ" % len(words), *words)


def encoded(kind, text):
    """[(what, pieces)] in each form that the program may hold the text in."""
    forms = []
    for encoding, width in (("utf-8", 1), ("utf-16-le", 2), ("utf-32-le", 4)):
        data = text.encode(encoding)
        forms.append((encoding, [data[at * width:(at + PIECE) * width] for at in range(len(text) - PIECE + 1)]))
    if kind in ("int", "bits"):
        data = digits_of(int.from_bytes(text.encode(), "little"))
        forms.append(("digits", [data[at:at + 8] for at in range(0, len(data) - 7, 4)]))
    if kind == "decimal":
        data = words_of(int.from_bytes(text.encode(), "big"))
        forms.append(("words", [data[at:at + 8] for at in range(0, len(data) - 15, 8)]))
    return forms


def letters_in(blob, width):
    """All runs of letters of so many bytes each."""
    return b"\n".join(re.findall(rb"(?:[a-zA-Z0-9]\0{%d}){%d,}" % (width - 1, PIECE), blob))


def found_in(blob, seed):
    """{kind: [(form, piece)]}"""
    found, places = {}, {"utf-8": letters_in(blob, 1), "utf-16-le": letters_in(blob, 2), "utf-32-le": letters_in(blob, 4)}
    for kind in KINDS:
        for form, pieces in encoded(kind, token(seed, kind)):
            for piece in pieces:
                if piece in places.get(form, blob):
                    found.setdefault(kind, []).append((form, piece))
    return found


def shorn(value):
    """What of an answer has no text of the process: numbers, types."""
    if isinstance(value, dict):
        return {key: shorn(inner) for key, inner in value.items()
                if key not in ("text", "path", "file", "command", "message", "core", "repr", "label", "name")}
    if isinstance(value, list):
        return [shorn(inner) for inner in value]
    return value


class Redacted(support.Case):
    def program(self, python, how):
        seed = "seed of %s" % os.urandom(4).hex()
        living = support.Living("confidential", [seed, token(seed, "command")], python=python.path,
                                env={"NECROPY_SECRET": token(seed, "environment")})
        self.addCleanup(living.close)
        try:
            return seed, living.dump(how)
        except support.dump.Skip as why:
            self.skipTest(str(why))

    def snapshots(self, core, python):
        paths = core + ".full.necro", core + ".redacted.necro"
        options = support.options_for(python)
        self.necropy("snapshot", core, "-o", paths[0], "--quiet", *options)
        self.necropy("snapshot", core, "-o", paths[1], "--redact", "--quiet", *options)
        self.assertFalse([name for name in os.listdir(os.path.dirname(core)) if name.endswith(".redacted")])
        return paths

    def check_no_secret(self, seed, full, redacted):
        found = found_in(File(full).everything(), seed)
        self.assertEqual(sorted(found), sorted(KINDS), "the test proves nothing: secrets that were not there")
        self.assertEqual(found_in(File(redacted).everything(), seed), {})

    def check_same_heap(self, core, redacted, options):
        for command in (("types", "--limit", "0"), ("memory",), ("cycles", "--limit", "0"), ("garbage", "--limit", "0")):
            expected, got = (json.loads(self.necropy(command[0], path, "--json", "--quiet", *command[1:], *more)[0])
                             for path, more in ((core, options), (redacted, ())))
            for made in (expected, got):
                made.pop("core", None)
            self.assertTrue(shorn(got) == shorn(expected), command)
        expected, got = (self.lines(core, *options), self.lines(redacted))
        self.assertEqual(len(got), len(expected))
        different = [pair for pair in zip(got, expected) if pair[0] != pair[1]]
        self.assertEqual(different[:3], [])

    def lines(self, path, *options):
        """The export, without what a thread is called."""
        out = self.necropy("export", path, "--format", "ndjson", "--quiet", *options)[0]
        return re.sub(r'<thread \\".*?\\">', "<thread>", out).splitlines()

    def check_no_secret_said(self, seed, redacted):
        for command in (("report",), ("report", "--json", "-"), ("retained",), ("threads",), ("tasks",), ("memory",),
                        ("show", "--type", "dict", "--limit", "0"), ("path", "--type", "str", "--limit", "0"),
                        ("backrefs", "--type", "__main__.Record"), ("refs", "--type", "dict")):
            status, out, err = self.run_necropy(command[0], redacted, "--quiet", *command[1:])
            self.assertIn(status, (0, 4), err)
            self.assertEqual(found_in((out + err).encode(), seed), {}, command)
        out = self.necropy("show", redacted, "--type", "__main__.Record", "--quiet", status=None)[0]
        self.assertRegex(out, "<str of [0-9]+>")

    def check(self, python, how="gcore"):
        seed, core = self.program(python, how)
        full, redacted = self.snapshots(core, python)
        self.check_no_secret(seed, full, redacted)
        self.check_same_heap(core, redacted, support.options_for(python))
        self.check_no_secret_said(seed, redacted)
        self.assertIn("is redacted", self.necropy("allocations", redacted, "--quiet", status=3)[1])
        again = core + ".again.necro"
        self.necropy("snapshot", redacted, "-o", again, "--quiet")
        self.assertEqual(found_in(File(again).everything(), seed), {})

    def test_no_secret_is_in_it(self):
        for python in support.usual(support.pythons(self)):
            with self.subTest(python.name):
                self.check(python)

    def test_kernel_core(self):
        self.check(support.first_python(self), "kernel")

    def test_names_of_the_program_are_in_it(self):
        python = support.first_python(self)
        _, core = self.program(python, "gcore")
        redacted = self.snapshots(core, python)[1]
        out = self.necropy("threads", redacted, "--quiet")[0]
        for name in ("confidential.py", "main", "local_secret", "keep"):
            self.assertIn(name, out)
        self.assertIn("plain_attribute", self.necropy("show", redacted, "--type", "__main__.Attributes", "--full")[0])


if __name__ == "__main__":
    unittest.main()
