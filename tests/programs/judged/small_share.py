# SPDX-License-Identifier: MIT
# necropy: a small leak in a large healthy heap.
"""A healthy table of 20 MB that was loaded at the start, and 5 000 leaked contexts, less than a tenth of it."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Context$", "path": "^__main__\\.Tracer\\.contexts", "count": 5000}
import array

CATALOGUE = {}


class Tracer:
    contexts = []

    @classmethod
    def begin(cls, name):
        context = Context(name)
        cls.contexts.append(context)
        return context


class Context:
    def __init__(self, name):
        self.name = name
        self.baggage = {}


def main():
    for number in range(40000):
        CATALOGUE["sku-%06d" % number] = ("article %d" % number, number * 0.99, "shelf %d" % (number % 500),
                                          array.array("d", [number, number, number]))
    for number in range(5000):
        Tracer.begin("request %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
