# SPDX-License-Identifier: MIT
# necropy: sockets that a connection pool takes back and never closes.
"""Socket pairs stand for connections to a server; broken ones go to a list of the pool."""
# expect: {"rule": "unclosed-sockets", "type": "socket", "path": "^__main__\\.POOL\\.broken", "count": 200}
import socket


class Pool:
    def __init__(self):
        self.idle = []
        self.broken = []

    def take(self):
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    def give_back(self, connection):
        self.broken.append(connection)


POOL = Pool()


def main():
    for number in range(200):
        connection = POOL.take()
        connection.send(b"") if number < 0 else None
        POOL.give_back(connection)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
