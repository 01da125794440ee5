# SPDX-License-Identifier: MIT
# necropy: three threads, each with a lock that the next one wants.
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

accounts = [threading.RLock() for _ in range(3)]
barrier = threading.Barrier(3)


def transfer(mine, other):
    with accounts[mine]:
        barrier.wait()
        with accounts[other]:
            pass


def main():
    for number in range(3):
        threading.Thread(target=transfer, args=(number, (number + 1) % 3), name="transfer-%d" % number,
                         daemon=True).start()
    time.sleep(0.5)
    oracle.hold()


if __name__ == "__main__":
    main()
