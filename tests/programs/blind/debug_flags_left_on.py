# SPDX-License-Identifier: MIT
# necropy: gc.set_debug(gc.DEBUG_SAVEALL), forgotten in production
# expect: {"rule": "gc|garbage", "type": null, "path": "gc\\.garbage", "count": null}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import gc  # noqa: E402

gc.set_debug(gc.DEBUG_SAVEALL)


class Order:
    def __init__(self, number):
        self.number = number
        self.items = [Item(self, n) for n in range(3)]


class Item:
    def __init__(self, order, number):
        self.order, self.number = order, number


for number in range(3000):
    Order(number)
gc.collect()


oracle.hold()
