# SPDX-License-Identifier: MIT
# necropy: a log kept as a linked list that only grows.
"""Each entry refers to the one before; the module keeps the last."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Entry$", "path": "^__main__\\.JOURNAL\\.last", "count": 30000}


class Entry:
    def __init__(self, text, previous):
        self.text = text
        self.previous = previous


class Journal:
    last = None

    def write(self, text):
        self.last = Entry(text, self.last)


JOURNAL = Journal()


def main():
    for number in range(30000):
        JOURNAL.write("line %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
