# SPDX-License-Identifier: MIT
# necropy: every instance registers itself in an attribute of its class
# expect: {"rule": "growing|container|class|registry", "type": "__main__.Session", "path": "^__main__\\.Session\\.alive", "count": 15000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import hashlib  # noqa: E402
import uuid  # noqa: E402


class Session:
    alive = {}

    def __init__(self, user):
        self.key = hashlib.sha1(user.encode()).hexdigest()
        self.user = user
        self.basket = []
        Session.alive[self.key] = self

    def add(self, item):
        self.basket.append(item)


namespace = uuid.UUID(int=7)
for number in range(15000):
    Session("visitor-%d" % number).add("article %d" % number)


oracle.hold()
