# SPDX-License-Identifier: MIT
# necropy: threads that wait in different calls, with locals to be shown.
"""What the report must say of each thread is in the marks: `# at: THREAD FUNCTION` ends the line where a frame stands."""
import os
import queue
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

READY = threading.Semaphore(0)
NEVER = threading.Event()
JOBS = queue.Queue()


class Backlog:
    def __init__(self):
        self.entries = [{"entry": number} for number in range(1000)]


def consume(source, label):
    backlog = Backlog()
    taken = ["taken", label]
    READY.release()
    while True:
        taken.append(source.get())  # at: consumer consume
    return backlog


def descend(depth, payload):
    marker = "depth-%d" % depth
    if depth == 0:
        READY.release()
        time.sleep(100000)  # at: sleeper descend
        return marker
    return descend(depth - 1, payload) + marker  # at: sleeper descend


def produce():
    held = {"held": "by a running generator"}
    READY.release()
    NEVER.wait()  # at: generator produce
    yield held


def iterate(generator):
    total = 0
    for _ in generator:  # at: generator iterate
        total += 1
    return total


class Worker(threading.Thread):
    def __init__(self):
        super().__init__(name="worker", daemon=True)
        self.results = []

    def run(self):
        lock = threading.Lock()
        lock.acquire()
        READY.release()
        lock.acquire()  # at: worker run


def main():
    argument = ["main", "local"]
    threads = [threading.Thread(target=consume, args=(JOBS, "label"), name="consumer", daemon=True),
               threading.Thread(target=descend, args=(50, {"payload": 1}), name="sleeper", daemon=True),
               threading.Thread(target=iterate, args=(produce(),), name="generator", daemon=True), Worker()]
    for thread in threads:
        thread.start()
    for _ in threads:
        READY.acquire()
    time.sleep(0.3)
    oracle.hold()  # at: MainThread main
    return argument


if __name__ == "__main__":
    main()  # at: MainThread <module>
