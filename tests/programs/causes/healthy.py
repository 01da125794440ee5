# SPDX-License-Identifier: MIT
# necropy: nothing but what every service has.
import asyncio
import sqlite3

import service


def main():
    service.start()
    database = sqlite3.connect(":memory:")
    database.execute("create table t (a, b)")
    database.executemany("insert into t values (?, ?)", [(number, str(number)) for number in range(500)])
    rows = database.execute("select * from t").fetchall()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    assert rows
    service.rest()


if __name__ == "__main__":
    main()
