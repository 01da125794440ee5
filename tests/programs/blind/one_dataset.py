# SPDX-License-Identifier: MIT
# necropy: healthy: a single large table that is in use, some bounded caches
# expect: {"healthy": true}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import array  # noqa: E402
import collections  # noqa: E402
import functools  # noqa: E402
import weakref  # noqa: E402

samples = array.array("d", range(400000))
recent = collections.deque(range(1000), maxlen=1000)


@functools.lru_cache(maxsize=128)
def squared(number):
    return number * number


class Model:
    pass


models = weakref.WeakValueDictionary()
kept = []
for number in range(50):
    model = Model()
    models[number] = model
    kept.append(model)
    squared(number)


oracle.hold()
