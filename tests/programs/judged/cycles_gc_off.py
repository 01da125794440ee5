# SPDX-License-Identifier: MIT
# necropy: reference cycles while the collector is off.
"""gc.disable() at the start, for latency; parents and children point at each other."""
# expect: {"rule": "garbage-cycles", "type": "^__main__\\.(Order|Line)$", "path": "", "count": null}
import gc


class Line:
    def __init__(self, order, number):
        self.order = order
        self.number = number


class Order:
    def __init__(self, number):
        self.number = number
        self.lines = [Line(self, number * 10 + index) for index in range(3)]


def main():
    gc.disable()
    for number in range(4000):
        Order(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
