# SPDX-License-Identifier: MIT
# necropy: functools.lru_cache without a bound on a method: it keeps every self
# expect: {"rule": "cache", "type": "__main__.Invoice", "path": "__main__\\.Invoice\\.total", "count": 9000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import decimal  # noqa: E402
import functools  # noqa: E402


class Invoice:
    def __init__(self, number):
        self.number = number
        self.lines = [("line %d of %d" % (i, number), decimal.Decimal(i)) for i in range(4)]

    @functools.lru_cache(maxsize=None)
    def total(self, currency):
        return sum(amount for _, amount in self.lines), currency


def process(number):
    return Invoice(number).total("EUR")


for number in range(9000):
    process(number)


oracle.hold()
