# SPDX-License-Identifier: MIT
# necropy: closures in a retry table, each with the whole request body that it captured
# expect: {"rule": "closure|callback|growing|container", "type": "function", "path": "^__main__\\.(scheduler|Scheduler)\\b.*pending|^__main__\\.scheduler", "count": 5000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import collections  # noqa: E402


class Scheduler:
    def __init__(self):
        self.pending = {}
        self.done = collections.Counter()

    def later(self, key, action):
        self.pending[key] = action


scheduler = Scheduler()


def upload(number):
    body = bytearray(b"%d " % number * 200)
    headers = {"length": len(body), "number": number}

    def again():
        return len(body), headers

    scheduler.later(number, again)


for number in range(5000):
    upload(number)


oracle.hold()
