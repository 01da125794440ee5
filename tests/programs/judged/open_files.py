# SPDX-License-Identifier: MIT
# necropy: files opened and never closed.
"""A cache of open log files by customer, of which there are many."""
# expect: {"rule": "unclosed-files", "type": "TextIOWrapper|FileIO", "path": "^__main__\\.WRITERS", "count": 300}
import os
import tempfile

WRITERS = {}
FOLDER = tempfile.mkdtemp()


def writer(customer):
    if customer not in WRITERS:
        WRITERS[customer] = open(os.path.join(FOLDER, customer + ".log"), "w")
    return WRITERS[customer]


def main():
    for number in range(300):
        writer("customer%d" % number).write("hello %d\n" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
