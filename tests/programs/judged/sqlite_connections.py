# SPDX-License-Identifier: MIT
# necropy: a SQLite connection per request, none closed.
"""Each handler opens the database and keeps the connection on its request object."""
# expect: {"rule": "open-connections", "type": "^sqlite3\\.Connection$", "path": "^__main__\\.REQUESTS", "count": 120}
import os
import sqlite3
import tempfile

REQUESTS = []
PATH = os.path.join(tempfile.mkdtemp(), "shop.db")


class Request:
    def __init__(self, number):
        self.number = number
        self.database = sqlite3.connect(PATH)

    def handle(self):
        return self.database.execute("select count(*) from sqlite_master").fetchone()


def main():
    for number in range(120):
        request = Request(number)
        request.handle()
        REQUESTS.append(request)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
