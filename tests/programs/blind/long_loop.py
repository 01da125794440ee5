# SPDX-License-Identifier: MIT
# necropy: a thread that collects all rows in a local variable before it writes them
# expect: {"rule": "frame|thread|local|container", "type": "tuple|__main__.Row", "path": "exporter.*rows", "count": 40000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import collections  # noqa: E402
import threading  # noqa: E402

Row = collections.namedtuple("Row", "id name price")
full = threading.Event()


def export(count):
    rows = []
    for number in range(count):
        rows.append(Row(number, "name %d" % number, number * 1.5))
    full.set()
    threading.Event().wait()
    return rows


threading.Thread(target=export, args=(40000,), name="exporter", daemon=True).start()
full.wait()


oracle.hold()
