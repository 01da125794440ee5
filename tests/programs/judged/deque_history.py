# SPDX-License-Identifier: MIT
# necropy: a deque without maxlen as the undo history.
"""collections.deque() on an instance, never trimmed."""
# expect: {"rule": "queue", "type": "^__main__\\.Change$", "path": "^__main__\\.EDITOR\\.history", "count": 18000}
import collections


class Change:
    __slots__ = ("before", "after", "position")

    def __init__(self, before, after, position):
        self.before, self.after, self.position = before, after, position


class Editor:
    def __init__(self):
        self.history = collections.deque()
        self.text = ""

    def type(self, text):
        self.history.append(Change(self.text[-10:], text, len(self.text)))
        self.text += text


EDITOR = Editor()


def main():
    for number in range(18000):
        EDITOR.type("%d " % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
