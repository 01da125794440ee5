# SPDX-License-Identifier: MIT
# necropy: cycles with __del__ that wait for a collector that was frozen and turned off.
"""gc.freeze() and gc.disable() in the master, as before a fork; transactions refer to themselves."""
# expect: {"rule": "finalizer-cycles", "type": "^__main__\\.Transaction$", "path": "", "count": 3000}
import gc


class Transaction:
    def __init__(self, number):
        self.number = number
        self.log = ["begin %d" % number]
        self.on_close = self.close

    def close(self):
        self.log.append("close")

    def __del__(self):
        self.log = None


def main():
    gc.collect()
    gc.freeze()
    gc.disable()
    for number in range(3000):
        Transaction(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
