# SPDX-License-Identifier: MIT
# necropy: a logging handler added on each call
# expect: {"rule": "handler|logging|growing|container", "type": "logging\\.|StreamHandler|Handler", "path": "logging|__main__", "count": 2000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import io  # noqa: E402
import logging  # noqa: E402


def work(number):
    logger = logging.getLogger("shop.work")
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    return logger


for number in range(2000):
    work(number)


oracle.hold()
