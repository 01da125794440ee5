# SPDX-License-Identifier: MIT
# necropy: sockets that are made for one request each and never closed.
import socket

import service

SOURCE = '''
import socket

class Client:
    pool = []

    def __init__(self, here, address):
        self.address = address
        self.connection = here

    @classmethod
    def get(cls, address):
        here, there = socket.socketpair()
        there.close()
        client = cls(here, address)
        cls.pool.append(client)
        return client
'''


def main():
    service.start()
    http = service.module("shop.http", SOURCE)
    for number in range(service.count(250)):
        http.Client.get("10.0.0.%d" % number)
    assert isinstance(http.Client.pool[0].connection, socket.socket)
    service.rest()


if __name__ == "__main__":
    main()
