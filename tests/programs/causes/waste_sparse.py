# SPDX-License-Identifier: MIT
# necropy: tables that were full once: they do not shrink when they are emptied.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

ROUNDS = 40


class Room:
    def __init__(self, number):
        self.guests = {("guest", number, i): i for i in range(3000)}
        self.seen = set(range(number, number + 3000))
        for key in list(self.guests)[5:]:
            del self.guests[key]
        for key in list(self.seen)[5:]:
            self.seen.remove(key)


rooms = [Room(number) for number in range(ROUNDS)]
oracle.hold()
