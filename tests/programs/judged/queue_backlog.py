# SPDX-License-Identifier: MIT
# necropy: a queue.Queue whose worker is slower than its producers.
"""A log shipper's queue without maxsize."""
# expect: {"rule": "queue", "type": "^dict$", "path": "^__main__\\.SHIPPER\\.queue\\.queue", "count": 25000}
import queue


class Shipper:
    def __init__(self):
        self.queue = queue.Queue()
        self.sent = 0

    def ship(self, record):
        self.queue.put(record)


SHIPPER = Shipper()


def main():
    for number in range(25000):
        SHIPPER.ship({"level": "info", "message": "request %d served" % number, "n": number})


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
