# SPDX-License-Identifier: MIT
# necropy: small NumPy slices that keep the large arrays that they were cut from.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import numpy  # noqa: E402


def load(number):
    frame = numpy.zeros((200, 100)) + number
    return frame[0]


first_rows = [load(number) for number in range(200)]
oracle.hold()
