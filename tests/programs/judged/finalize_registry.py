# SPDX-License-Identifier: MIT
# necropy: weakref.finalize whose callback's arguments keep what it waits for.
"""finalize(resource, cleanup, resource.buffer, resource): the resource keeps itself alive."""
# expect: {"rule": "finalize-registry", "type": "^(weakref\\.finalize\\._Info|__main__\\.Resource)$", "path": "^weakref\\.finalize\\._registry", "count": 2500}
import weakref


class Resource:
    def __init__(self, number):
        self.number = number
        self.buffer = bytearray(1000)
        weakref.finalize(self, release, self)


def release(resource):
    resource.buffer = None


def main():
    for number in range(2500):
        Resource(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
