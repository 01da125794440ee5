# SPDX-License-Identifier: MIT
# necropy: programs of a second pair of eyes: a cause each, written from the causes alone; nine in ten must be named.
"""The same as test_blind.py, for the programs in programs/judged/."""
import unittest

import test_blind


class Judged(test_blind.Blind):
    folder = "judged"


if __name__ == "__main__":
    unittest.main()
