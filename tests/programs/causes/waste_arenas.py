# SPDX-License-Identifier: MIT
# necropy: a large moment is over, and a few objects that stayed keep most of Python's arenas.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

moment = [("row", number, {"value": number}) for number in range(150000)]
kept = moment[::400]
del moment
oracle.hold()
