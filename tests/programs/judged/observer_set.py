# SPDX-License-Identifier: MIT
# necropy: observers in a set on a long-lived subject.
"""Views add themselves to the model's set of observers."""
# expect: {"rule": "listeners|growing-container", "type": "^__main__\\.View$", "path": "^__main__\\.MODEL\\.observers", "count": 4000}


class Model:
    def __init__(self):
        self.observers = set()
        self.value = 0

    def changed(self):
        for observer in self.observers:
            observer.refresh(self.value)


MODEL = Model()


class View:
    def __init__(self, title):
        self.title = title
        self.cells = [[0.5 + row * column for column in range(4)] for row in range(4)]
        MODEL.observers.add(self)

    def refresh(self, value):
        self.cells[0][0] = value


def main():
    for number in range(4000):
        View("view %d" % number)
    MODEL.changed()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
