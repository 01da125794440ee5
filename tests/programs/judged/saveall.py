# SPDX-License-Identifier: MIT
# necropy: gc.garbage filled by DEBUG_SAVEALL that somebody left on.
"""A leak hunt's debug flag in production: each cycle that is found is kept."""
# expect: {"rule": "gc-garbage", "type": "^__main__\\.Session$", "path": "^gc\\.garbage", "count": 2000}
import gc


class Session:
    def __init__(self, number):
        self.number = number
        self.me = self
        self.data = "data %d" % number


def main():
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    for number in range(2000):
        Session(number)
    gc.collect()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
