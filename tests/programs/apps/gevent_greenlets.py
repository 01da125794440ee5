# SPDX-License-Identifier: MIT
# necropy: gevent: greenlets that wait, pools, queues, a server.
"""gevent_greenlets.py: dumped in the main greenlet, the others are suspended in C stacks of their own."""
import gc
import os
import sys

import gevent
from gevent import event, lock, pool, queue, server, socket

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = {}


def worker(number, box, done):
    local = {"number": number, "list": [number] * 3}
    while True:
        KEPT.setdefault("seen", []).append((local["number"], box.get()))
        if done.is_set():
            return


def sleeper(number):
    text = "sleeper %d" % (number + 1000)
    gevent.sleep(1000 + len(text))


def serve(connection, address):
    KEPT.setdefault("served", []).append(address)
    while True:
        data = connection.recv(100)
        if not data:
            return
        connection.sendall(data)


def main():
    done, box = event.Event(), queue.Queue()
    KEPT["workers"] = [gevent.spawn(worker, number, box, done) for number in range(50)]
    KEPT["sleepers"] = pool.Pool(100)
    for number in range(60):
        KEPT["sleepers"].spawn(sleeper, number)
    for number in range(300):
        box.put(number)
    gevent.sleep(0)
    KEPT["server"] = server.StreamServer(("127.0.0.1", 0), serve)
    KEPT["server"].start()
    KEPT["clients"] = [socket.create_connection(("127.0.0.1", KEPT["server"].server_port)) for _ in range(10)]
    for client in KEPT["clients"]:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
    KEPT["result"], KEPT["lock"] = event.AsyncResult(), lock.RLock()
    KEPT["waiters"] = [gevent.spawn(KEPT["result"].get) for _ in range(20)]
    KEPT["later"] = gevent.spawn_later(500, sleeper, 1)
    KEPT["failed"] = gevent.Greenlet(lambda: {}["nothing"])
    KEPT["map"] = pool.Pool(5).imap_unordered(lambda number: number * 2, range(20))
    KEPT["two"] = [next(KEPT["map"]), next(KEPT["map"])]
    KEPT["watchers"] = gevent.get_hub().loop.timer(1000), gevent.get_hub().loop.io(0, 1)
    gevent.sleep(0.1)
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
