# SPDX-License-Identifier: MIT
# necropy: an audit log in a module that nobody ever cuts
# expect: {"rule": "growing|container", "type": "dict", "path": "^__main__\\.TRAIL", "count": 24000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import datetime  # noqa: E402
import json  # noqa: E402

TRAIL = []
HANDLED = {"total": 0}


def record(user, action):
    """What the compliance department asked for, kept in memory for a day that never ends."""
    TRAIL.append({"user": user, "action": action, "at": datetime.datetime(2024, 1, 1), "detail": "%s did %s" % (user, action)})


def handle(request):
    HANDLED["total"] += 1
    record("user%d" % (request % 100), "GET /items/%d" % request)
    return json.dumps({"item": request})


for number in range(24000):
    handle(number)


oracle.hold()
