# SPDX-License-Identifier: MIT
# necropy: a log file for each customer, opened and never closed
# expect: {"rule": "file", "type": "TextIOWrapper|FileIO|_io|BufferedWriter", "path": "__main__\\.LogBook|__main__\\.book|__main__\\.files", "count": 700}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

import resource  # noqa: E402
import tempfile  # noqa: E402

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
folder = tempfile.TemporaryDirectory()


class LogBook:
    def __init__(self):
        self.files = {}

    def write(self, customer, line):
        if customer not in self.files:
            self.files[customer] = open(os.path.join(folder.name, "customer-%d.log" % customer), "w")
        self.files[customer].write(line)


book = LogBook()
for number in range(700):
    book.write(number, "hello")


oracle.hold()
