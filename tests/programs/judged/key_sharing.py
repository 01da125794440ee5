# SPDX-License-Identifier: MIT
# necropy: instances whose attributes are set in different order, so that they share no keys.
"""20 000 points in a table, made from dicts by vars(self).update()."""
# expect: {"rule": "instance-dicts", "type": "^__main__\\.Point$", "path": "^__main__\\.POINTS", "count": 20000}
import random

POINTS = []


class Point:
    def __init__(self, values):
        self.__dict__ = dict(values)


def main():
    dice = random.Random(7)
    for number in range(20000):
        names = ["x", "y", "z", "weight"]
        dice.shuffle(names)
        POINTS.append(Point([(name, number + 0.5) for name in names]))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
