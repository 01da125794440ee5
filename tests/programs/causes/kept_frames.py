# SPDX-License-Identifier: MIT
# necropy: frames that are kept for a call log, with all their locals.
import service

SOURCE = '''
import sys

class Audit:
    def __init__(self):
        self.calls = []

    def note(self):
        self.calls.append(sys._getframe(1))

audit = Audit()

def handle(number):
    body = ["line %d of %d" % (line, number) for line in range(20)]
    audit.note()
    return len(body)
'''


def main():
    service.start()
    source = service.module("shop.audit", SOURCE)
    for number in range(service.count(3000)):
        source.handle(number)
    service.rest()


if __name__ == "__main__":
    main()
