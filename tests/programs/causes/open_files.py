# SPDX-License-Identifier: MIT
# necropy: files that are opened and never closed.
import tempfile

import service

SOURCE = '''
class Log:
    def __init__(self, path):
        self.path, self.stream = path, open(path, "w")

class Archive:
    def __init__(self):
        self.logs = {}

    def log(self, path):
        self.logs[path] = Log(path)

archive = Archive()
'''


def main():
    service.start()
    files = service.module("shop.files", SOURCE)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(service.count(300)):
            files.archive.log("%s/customer-%d.log" % (folder, number))
        service.rest()


if __name__ == "__main__":
    main()
