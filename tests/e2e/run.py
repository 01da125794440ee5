#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: runs end-to-end test modules and says how many passed, failed and were skipped.
"""run.py [--summary FILE] MODULE...: unittest by name, with one line of figures for tests/run to add up."""
import argparse
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summary")
    parser.add_argument("modules", nargs="+")
    options = parser.parse_args()
    suite = unittest.defaultTestLoader.loadTestsFromNames(options.modules)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    bad = {case.id().split(" ")[0] for case, _ in result.failures + result.errors}
    for case, why in result.skipped:
        print("skipped: %s: %s" % (case.id(), why))
    # A test of which one interpreter's part was skipped counts as skipped unless it failed.
    skipped = {case.id().split(" ")[0] for case, _ in result.skipped} - bad
    passed = max(0, result.testsRun - len(bad) - len(skipped))
    line = "passed %d failed %d skipped %d" % (passed, len(bad), len(skipped))
    print(line)
    if options.summary:
        with open(options.summary, "w") as out:
            out.write(line + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
