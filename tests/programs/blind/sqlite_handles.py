# SPDX-License-Identifier: MIT
# necropy: a database connection for each request
# expect: {"rule": "connection|database|sqlite", "type": "sqlite3.Connection", "path": "__main__\\.Request|__main__\\.history|__main__\\.served", "count": 300}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import sqlite3  # noqa: E402
import tempfile  # noqa: E402

folder = tempfile.TemporaryDirectory()
served = []


class Request:
    def __init__(self, number):
        self.number = number
        self.database = sqlite3.connect(os.path.join(folder.name, "shop.db"))
        self.rows = self.database.execute("select 1, 2, 3").fetchall()


for number in range(300):
    served.append(Request(number))


oracle.hold()
