# SPDX-License-Identifier: MIT
# necropy: thread locals that a worker fills and never empties.
import threading

import service

SOURCE = '''
import threading

context = threading.local()

def handle(never, ready, count):
    context.requests = []
    for number in range(count):
        context.requests.append({"request": number, "headers": ["h%d" % number]})
    ready.set()
    never.wait()
'''


def main():
    service.start()
    web = service.module("web.context", SOURCE)
    never, ready = threading.Event(), threading.Event()
    threading.Thread(target=web.handle, args=(never, ready, service.count(8000)), name="worker-1", daemon=True).start()
    ready.wait()
    service.rest()


if __name__ == "__main__":
    main()
