# SPDX-License-Identifier: MIT
# necropy: an index kept as a binary tree of nodes, never pruned.
"""A container of one's own: 20 000 nodes under one root node."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Node$", "path": "^__main__\\.INDEX\\.root$", "count": 20000}
import random


class Node:
    __slots__ = ("key", "value", "left", "right")

    def __init__(self, key, value):
        self.key, self.value, self.left, self.right = key, value, None, None


class Index:
    def __init__(self):
        self.root = None
        self.size = 0

    def insert(self, key, value):
        self.size += 1
        if self.root is None:
            self.root = Node(key, value)
            return
        node = self.root
        while True:
            side = "left" if key < node.key else "right"
            child = getattr(node, side)
            if child is None:
                setattr(node, side, Node(key, value))
                return
            node = child


INDEX = Index()


def main():
    dice = random.Random(4)
    for number in range(20000):
        INDEX.insert(dice.random(), "document %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
