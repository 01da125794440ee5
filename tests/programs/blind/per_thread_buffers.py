# SPDX-License-Identifier: MIT
# necropy: a pool of threads that never end, each with its own cache in a threading.local
# expect: {"rule": "thread|local", "type": null, "path": "thread|local|Worker|worker", "count": null}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import threading  # noqa: E402
import time  # noqa: E402

here = threading.local()
ready = threading.Semaphore(0)


def lookup(key):
    if not hasattr(here, "cache"):
        here.cache = {}
    if key not in here.cache:
        here.cache[key] = ["value of %s" % key, {"hits": key}]
    return here.cache[key]


def serve(number):
    for key in range(2000):
        lookup(number * 10000 + key)
    ready.release()
    while True:
        time.sleep(1000)


for number in range(8):
    threading.Thread(target=serve, args=(number,), name="worker-%d" % number, daemon=True).start()
for _ in range(8):
    ready.acquire()


oracle.hold()
