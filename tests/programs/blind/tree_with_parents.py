# SPDX-License-Identifier: MIT
# necropy: trees whose children know their parents, thrown away with the collector off
# expect: {"rule": "garbage|cycle", "type": "__main__.Node|dict", "path": null, "count": null}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import gc  # noqa: E402

gc.disable()


class Node:
    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent
        self.children = []
        if parent is not None:
            parent.children.append(self)


def parse(document):
    root = Node("document %d" % document)
    for number in range(6):
        Node("element", Node("section %d" % number, root))
    return len(root.children)


for document in range(1500):
    parse(document)


oracle.hold()
