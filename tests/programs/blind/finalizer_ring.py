# SPDX-License-Identifier: MIT
# necropy: pooled connections that know their pool, with a __del__, the collector off
# expect: {"rule": "finalizer|garbage|cycle", "type": "__main__.(Channel|Pool)|dict|list", "path": null, "count": null}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import gc  # noqa: E402
import tempfile  # noqa: E402

gc.disable()
closed = []


class Channel:
    def __init__(self, pool):
        self.pool = pool
        self.buffer = bytearray(300)

    def __del__(self):
        closed.append(1)


class Pool:
    def __init__(self, size):
        self.channels = [Channel(self) for _ in range(size)]


def request():
    return len(Pool(4).channels)


for number in range(2500):
    request()


oracle.hold()
