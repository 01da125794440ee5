# SPDX-License-Identifier: MIT
# necropy: atexit.register for every connection.
"""Connections ask to be closed at exit, and so live until then."""
# expect: {"rule": "atexit-callbacks", "type": "^(method|__main__\\.Connection)$", "path": "atexit", "count": 3000}
import atexit


class Connection:
    def __init__(self, number):
        self.number = number
        self.buffer = bytearray(2000)
        atexit.register(self.close)

    def close(self):
        self.buffer = None


def main():
    for number in range(3000):
        Connection(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
