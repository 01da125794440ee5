# SPDX-License-Identifier: MIT
# necropy: a thread local buffer that grows in the workers of a pool.
"""Four workers, each with a thread local list of audit records that nobody flushes."""
# expect: {"rule": "thread-local", "type": "^__main__\\.AuditRecord$", "path": "^__main__\\.CONTEXT", "count": 20000}
import concurrent.futures
import threading

CONTEXT = threading.local()
POOL = concurrent.futures.ThreadPoolExecutor(4)
_meet = threading.Barrier(4)


class AuditRecord:
    def __init__(self, number, what):
        self.number = number
        self.what = what


def audit(number):
    if not hasattr(CONTEXT, "records"):
        CONTEXT.records = []
    CONTEXT.records.append(AuditRecord(number, "changed %d" % number))


def work(worker):
    _meet.wait()
    for number in range(5000):
        audit(worker * 5000 + number)
    _meet.wait()


def main():
    list(POOL.map(work, range(4)))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
