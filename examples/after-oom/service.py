# SPDX-License-Identifier: MIT
# necropy: example: a service that forgets nothing, until memory runs out.
"""service.py [MEGABYTES]: grows to so many megabytes and waits; without an argument it grows for ever."""
import os
import sys
import time

if "NECROPY_LIMIT_MB" in os.environ:
    import dump_on_memory_error  # noqa: F401


class Request:
    def __init__(self, number):
        self.number = number
        self.body = "request %d " % number * 1000


class Log:
    def __init__(self):
        self.requests = []


log = Log()


def serve(limit):
    size = 0
    while limit is None or size < limit << 20:
        request = Request(len(log.requests))
        log.requests.append(request)
        size += len(request.body)
    print("ready", os.getpid(), flush=True)
    time.sleep(1000)


serve(int(sys.argv[1]) if len(sys.argv) > 1 else None)
