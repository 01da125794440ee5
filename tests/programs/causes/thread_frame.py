# SPDX-License-Identifier: MIT
# necropy: a local variable of a thread that never returns.
import threading

import service

SOURCE = '''
def consume(never, ready, count):
    backlog = []
    for number in range(count):
        backlog.append({"job": number, "text": "job %d" % number})
    ready.set()
    never.wait()
    return backlog
'''


def main():
    service.start()
    jobs = service.module("jobs.consumer", SOURCE)
    never, ready = threading.Event(), threading.Event()
    threading.Thread(target=jobs.consume, args=(never, ready, service.count(12000)), name="consumer", daemon=True).start()
    ready.wait()
    service.rest()


if __name__ == "__main__":
    main()
