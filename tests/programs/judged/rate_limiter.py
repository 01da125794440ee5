# SPDX-License-Identifier: MIT
# necropy: a rate limiter that keeps the hits of every client it ever saw.
"""A module dict from client address to a list of time stamps; clients come once and never again."""
# expect: {"rule": "growing-container", "type": "^list$", "path": "^__main__\\.LIMITER\\.hits", "count": 9000}
import collections
import time


class RateLimiter:
    def __init__(self, per_minute):
        self.per_minute = per_minute
        self.hits = collections.defaultdict(list)

    def allow(self, client):
        now = time.time()
        recent = self.hits[client]
        recent.append(now)
        return len(recent) <= self.per_minute


LIMITER = RateLimiter(60)


def main():
    for number in range(9000):
        client = "10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)
        for _ in range(3):
            LIMITER.allow(client)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
