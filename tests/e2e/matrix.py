#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: how exact, by version, kind of build and source of the layouts: measured, and printed as a Markdown table.
"""matrix.py [--program P] [PYTHON...]: dumps the zoo under each interpreter, has each core analysed with debug information,
without, and with no file of the dead machine, and compares every object and reference with the living oracle.

Interpreters: those named (PATH, or ROOT:PATH for another root), else all that the tests find: this machine's, pyenv's, those
of NECROPY_PYTHONS and NECROPY_ROOTS (see tests/oracle/dump.py; other roots need root, for chroot).  A figure is the least of
the five (object recall, type and size match, reference recall and precision), rounded down; NECROPY is the binary."""
import argparse
import json
import math
import os
import subprocess
import sys

import support
from support import compare, dump

SOURCES = (("with debug information", ()), ("without", ("--ignore-debug-info",)), ("core alone", ("--sysroot", "/nonexistent")))
ABOUT = ("import sys, sysconfig; v = sysconfig.get_config_var; print('%d.%d.%d' % sys.version_info[:3], sys.hexversion, "
         "'free-threaded ' * bool(v('Py_GIL_DISABLED')) + ('debug' if hasattr(sys, 'gettotalrefcount') else 'release'))")


def about(path):
    """(hexversion, version, kind of build), or None when it does not run."""
    root, inner = dump.split_root(path)
    try:
        out = subprocess.run([inner, "-c", ABOUT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True,
                             preexec_fn=lambda: dump._enter(root, "/")).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        return None
    version, number, kind = out.split(None, 2)
    return int(number), version, kind.strip()


def interpreters(named):
    found = {}
    for path in named or dump._candidates() + dump._candidates_in_roots():
        said = about(path)
        if not said:
            print("%s does not run" % path, file=sys.stderr)
        elif said[0] >= 0x03070000:
            found.setdefault(said, path)  # one of each is enough
    return sorted(found.items())


def run(core, folder, *options):
    """({address: line}, source of the layouts) or None when necropy refuses."""
    path = os.path.join(folder, "matrix.ndjson")
    done = subprocess.run([support.NECROPY, "export", core, "--format", "ndjson", "-o", path, "--no-cache", *options],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode not in (0, 4):
        print(done.stderr.decode().strip(), file=sys.stderr)
        return None
    layout = subprocess.run([support.NECROPY, "layout", core, "--json", "--no-cache", *options], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return compare.read_export(path), json.loads(layout.stdout.decode())["layout_source"]


def floor(value):
    return "1" if value == 1 else "%.5f" % (math.floor(value * 100000) / 100000)


def measure(path, program):
    """(objects in the truth, {name of a source: cell})."""
    root = dump.split_root(path)[0]
    cells = {}
    with support.Living(program, python=path, truth=True) as living:
        core, truth = living.dump("kernel"), compare.Truth(living.truth)
        for name, options in SOURCES:
            if root and "--sysroot" not in options:
                options += ("--sysroot", root)
            got = run(core, living.folder, *options)
            if got and (name != SOURCES[0][0] or "dwarf" in got[1].lower()):
                figures = compare.compare(truth, got[0])["figures"]
                cells[name] = "%s (%s)" % (floor(min(figures.values())), got[1])
                print(path, name, figures, file=sys.stderr)
        return len(truth.addresses), cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="zoo")
    parser.add_argument("pythons", nargs="*")
    options = parser.parse_args()
    print("| version | build | objects | %s |\n|---|---|---|%s" % (
        " | ".join(name for name, _ in SOURCES), "---|" * len(SOURCES)), flush=True)
    for (_, version, kind), path in interpreters(options.pythons):
        try:
            objects, cells = measure(path, options.program)
        except (dump.Skip, RuntimeError) as why:
            print("%s: %s" % (path, why), file=sys.stderr)
            continue
        print("| %s | %s | %s | %s |" % (version, kind, "{:,}".format(objects).replace(",", " "),
                                       " | ".join(cells.get(name, "–") for name, _ in SOURCES)), flush=True)


if __name__ == "__main__":
    main()
