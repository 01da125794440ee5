# SPDX-License-Identifier: MIT
# necropy: a service of any size, for benchmarks.
"""service.py [OBJECTS]: sessions with their events, in the proportions of a leaky service; 1 000 000 by default.

A unit is a session, its tree of parents and children (cycles), events with dicts, lists, tuples and strings: 77 objects,
about a third of them known to the collector.
"""
import gc
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

PER_UNIT = 77
SESSIONS = {}


class Session:
    def __init__(self, number):
        self.key = "session-%d" % number
        self.user = "user%d@example.org" % number
        self.root = Node(None, number)
        self.children = [Node(self.root, number + child) for child in range(3)]
        self.events = [Event(self, number * 10 + event) for event in range(8)]
        self.headers = {"agent": "agent %d" % (number * 3), "length": number + 100000, "score": number / 7}


class Node:
    __slots__ = ("parent", "children", "value")

    def __init__(self, parent, value):
        self.parent, self.children, self.value = parent, [], (value, value + 0.5)
        if parent is not None:
            parent.children.append(self)


class Event:
    def __init__(self, session, number):
        self.session = session
        self.name = "event %d" % number
        self.when = number + 1e9 + 0.25
        if number % 2:
            self.data = {"id": number + 1000000, "text": "text of %d" % number}


def main():
    gc.disable()
    for number in range(int(sys.argv[1] if len(sys.argv) > 1 else 1000000) // PER_UNIT):
        session = Session(number)
        SESSIONS[session.key] = session
    gc.enable()
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
