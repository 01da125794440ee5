#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: the law of the house, read off the sources.
"""check_law.py: which folder includes which, who may print and exit, who may ask for a version, how long files are.

Each broken rule is a line "FILE:LINE: what"; the exit status is 1 when there is any.
"""
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir))
# What each folder may include, beside itself and dumpfmt/base.
LAW = {
    "dumpfmt/base": (),
    "dumpfmt": (),
    "analyzer/cpython": ("dumpfmt",),
    "analyzer/objects": ("dumpfmt", "analyzer/cpython"),
    "analyzer/algo": (),
    "analyzer/graph": ("dumpfmt", "analyzer/cpython", "analyzer/objects", "analyzer/algo"),
    "analyzer/findings": ("dumpfmt", "analyzer/cpython", "analyzer/objects", "analyzer/graph", "analyzer/algo"),
    "analyzer/report": ("analyzer/findings",),
}
LONGEST = 900  # lines of a .c file
TERMINAL = re.compile(r"(?<![\w.>])(exit|_Exit|printf|puts|perror|vprintf|getenv_s)\s*\(|\b(stdout|stderr)\b")
# Bytes of a snapshot are not there before they are asked for: dumpfmt/aspace.h.
UNASKED = re.compile(r"(?<!chunk->)(?<!chunk\.)(?<!\]\.)\bhost\s*(\+|\[)|\]\.host\s*(\+|\[)")
ASKS = ("dumpfmt/aspace.h", "dumpfmt/aspace.c", "dumpfmt/necro_memory.c", "analyzer/cpython/view.h")
VERSION = re.compile(r"layout(\.|->)version\b|PY_VERSION_HEX|hexversion\s*[<>=]")


def folder_of(path):
    return next((name for name in sorted(LAW, key=len, reverse=True) if path.startswith(name + "/")), None)


def code_lines(path):
    """(number, line) without comments and string contents; good enough for this tree's style."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as source:
        text = source.read()
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found.group().count("\n"), text, flags=re.S)
    for number, line in enumerate(text.splitlines(), 1):
        yield number, line if line.startswith("#include") else re.sub(r'"(\\.|[^"\\])*"', '""', line)


def check_include(folder, line):
    found = re.match(r'#include "([^"]+)"', line)
    target = folder_of(found.group(1)) if found else None
    if not found or target in (folder, "dumpfmt/base"):
        return None
    if target is None:
        return f"includes {found.group(1)}, which is no folder of the law" if "/" in found.group(1) else \
            f"includes {found.group(1)} without its folder"
    return None if target in LAW[folder] else f"{folder} must not include {found.group(1)}"


def check_file(path):
    folder = folder_of(path)
    number = 0
    for number, line in code_lines(path):
        problem = check_include(folder, line)
        if problem:
            yield number, problem
        if TERMINAL.search(line) and path != "dumpfmt/base/io.c":  # there "-" becomes a stream
            yield number, "only analyzer/cli prints to the terminal or exits: " + line.strip()
        if UNASKED.search(line) and path not in ASKS:
            yield number, "reads through a range's host, whose bytes may not be there yet (df_ptr): " + line.strip()
        if folder.startswith("analyzer/") and folder != "analyzer/cpython" and VERSION.search(line) \
                and path != "analyzer/findings/process.c":  # reports it
            yield number, "only analyzer/cpython knows a version: " + line.strip()
        if folder.startswith("dumpfmt") and re.search(r"\bPy[A-Z_]\w+|\bpy_\w+", line):
            yield number, "dumpfmt has never heard of Python: " + line.strip()
    if path.endswith(".c") and number > LONGEST:
        yield number, f"longer than {LONGEST} lines: which is the second idea?"


def main():
    broken = files = 0
    for top in ("dumpfmt", "analyzer"):
        for place, _, names in os.walk(os.path.join(ROOT, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(place, name), ROOT)
                if name.endswith((".c", ".h")) and folder_of(path):
                    files += 1
                    for number, problem in check_file(path):
                        print(f"{path}:{number}: {problem}")
                        broken += 1
    print(f"{files} files read, {broken} rules broken")
    return 1 if broken or not files else 0


if __name__ == "__main__":
    sys.exit(main())
