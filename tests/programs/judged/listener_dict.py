# SPDX-License-Identifier: MIT
# necropy: an event bus with lists of bound methods by topic; nobody unsubscribes.
"""Each open document subscribes to three topics; closing it forgets to unsubscribe."""
# expect: {"rule": "listeners", "type": "^(method|__main__\\.Document)$", "path": "^__main__\\.BUS\\._topics", "count": 3000}
import collections


class Bus:
    def __init__(self):
        self._topics = collections.defaultdict(list)

    def on(self, topic, handler):
        self._topics[topic].append(handler)


BUS = Bus()


class Document:
    def __init__(self, path):
        self.path = path
        self.lines = ["%s line %d" % (path, number) for number in range(10)]
        BUS.on("saved", self.on_saved)
        BUS.on("theme", self.on_theme)
        BUS.on("quit", self.on_quit)

    def on_saved(self, event):
        return event

    def on_theme(self, event):
        return event

    def on_quit(self, event):
        return event


def main():
    for number in range(3000):
        Document("file%d.txt" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
