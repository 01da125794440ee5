# SPDX-License-Identifier: MIT
# necropy: a timer wheel whose cancelled timers stay in the heap.
"""heapq of (when, number, Timer): cancelled ones are only marked."""
# expect: {"rule": "growing-container", "type": "^(tuple|__main__\\.Timer)$", "path": "^__main__\\.SCHEDULER\\._heap", "count": 8000}
import heapq
import itertools


class Timer:
    def __init__(self, callback):
        self.callback = callback
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


class Scheduler:
    def __init__(self):
        self._heap = []
        self._numbers = itertools.count()

    def call_at(self, when, callback):
        timer = Timer(callback)
        heapq.heappush(self._heap, (when, next(self._numbers), timer))
        return timer


SCHEDULER = Scheduler()


def main():
    for number in range(8000):
        SCHEDULER.call_at(1e9 + number * 30.0, print).cancel()


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
