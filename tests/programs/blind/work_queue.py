# SPDX-License-Identifier: MIT
# necropy: a queue whose consumer died: the producer goes on
# expect: {"rule": "queue|deque", "type": "__main__.Mail|dict", "path": "__main__\\.(outbox|mailer)", "count": 18000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import queue  # noqa: E402
import threading  # noqa: E402

outbox = queue.Queue()


class Mail:
    __slots__ = ("to", "subject", "body")

    def __init__(self, to, subject, body):
        self.to, self.subject, self.body = to, subject, body


def deliver():
    outbox.get()
    return


consumer = threading.Thread(target=deliver, name="mailer", daemon=True)
consumer.start()
for number in range(18001):
    outbox.put(Mail("a%d@example.org" % number, "news", "text %d" % number))
consumer.join()


oracle.hold()
