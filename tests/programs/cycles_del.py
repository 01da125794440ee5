# SPDX-License-Identifier: MIT
# necropy: cycles with finalizers that nobody collects.
"""15 000 cycles of two objects, one of which defines __del__, with the collector off."""
import gc
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 15000


class Connection:
    def __init__(self):
        self.session = None
        self.closed = False

    def __del__(self):
        # Breaks no cycle: what a finalizer frees by itself, gc.collect() does not count.
        self.closed = True


class Session:
    def __init__(self, connection):
        self.connection = connection
        connection.session = self


def main():
    gc.collect()
    gc.disable()
    for _ in range(COUNT):
        Session(Connection())
    oracle.hold()


if __name__ == "__main__":
    main()
