# SPDX-License-Identifier: MIT
# necropy: client sockets that are kept after the answer
# expect: {"rule": "socket", "type": "socket", "path": "__main__\\.peers|__main__\\.clients", "count": 400}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import socket  # noqa: E402

peers = []
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(500)
for number in range(200):
    client = socket.create_connection(server.getsockname())
    accepted, address = server.accept()
    accepted.sendall(b"hello")
    client.recv(5)
    peers.append(client)
    peers.append(accepted)


oracle.hold()
