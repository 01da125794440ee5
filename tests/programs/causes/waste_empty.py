# SPDX-License-Identifier: MIT
# necropy: a set for each of very many objects, nearly all of them empty.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402



class Cell:
    __slots__ = ("name", "watchers")

    def __init__(self, name):
        self.name = name
        self.watchers = set()


cells = [Cell(number) for number in range(30000)]
for cell in cells[::1000]:
    cell.watchers.add(cell.name)
oracle.hold()
