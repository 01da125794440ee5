# SPDX-License-Identifier: MIT
# necropy: gc.garbage filled by DEBUG_SAVEALL.
"""A debugging flag left on: every cycle that the collector finds is kept in gc.garbage for ever."""
import gc
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 500


class Job:
    def __init__(self, number):
        self.number = number
        self.itself = self


def main():
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    for number in range(COUNT):
        Job(number)
    gc.collect()
    gc.disable()
    oracle.hold()


if __name__ == "__main__":
    main()
