# SPDX-License-Identifier: MIT
# necropy: a thread for every request, each waiting for an event that never comes.
"""60 threads that never end, each with its response in a local variable."""
# expect: {"rule": "thread-frame", "type": "^list$", "path": "^<thread \\\"request-.*\\.serve\\(\\)\\.response", "count": 60}
import threading
import time

GO = threading.Event()
_started = threading.Semaphore(0)


def serve(number):
    response = [{"request": number, "part": part, "text": "part %d" % part} for part in range(300)]
    _started.release()
    GO.wait()
    return len(response)


def main():
    for number in range(60):
        threading.Thread(target=serve, args=(number,), daemon=True, name="request-%d" % number).start()
    for number in range(60):
        _started.acquire()
    time.sleep(0.2)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
