# SPDX-License-Identifier: MIT
# necropy: a signal handler that appends a snapshot for each signal.
"""SIGUSR1 asks for statistics, and the handler keeps each."""
# expect: {"rule": "closure-capture|growing-container", "type": "^dict$", "path": "andlers\\[10\\]\\.func\\.__closure__", "count": 2500}
import os
import signal
import time

_start = time.time()


def install():
    snapshots = []

    def on_usr1(number, frame):
        snapshots.append({"at": time.time() - _start, "pid": os.getpid(), "line": frame.f_lineno if frame else 0,
                          "note": "snapshot %d" % len(snapshots)})
    signal.signal(signal.SIGUSR1, on_usr1)


def main():
    install()
    for _ in range(2500):
        os.kill(os.getpid(), signal.SIGUSR1)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
