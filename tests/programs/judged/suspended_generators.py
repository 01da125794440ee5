# SPDX-License-Identifier: MIT
# necropy: generators that were started, paused and kept.
"""Paginated readers: each generator's frame holds the page it read."""
# expect: {"rule": "piled-up-tasks", "type": "^generator$", "path": "^__main__\\.CURSORS", "count": 700}
CURSORS = {}


def pages(query):
    page = ["%s: row %d" % (query, number) for number in range(100)]
    for row in page:
        yield row


def main():
    for number in range(700):
        cursor = pages("select %d" % number)
        next(cursor)
        CURSORS["cursor-%d" % number] = cursor


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
