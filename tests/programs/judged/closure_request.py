# SPDX-License-Identifier: MIT
# necropy: callbacks that capture a whole request for one of its fields.
"""400 pending callbacks, each a closure over a request with a 20 kB body."""
# expect: {"rule": "closure-capture", "type": "^(function|__main__\\.Request)$", "path": "^__main__\\.PENDING", "count": 400}
PENDING = []


class Request:
    def __init__(self, number):
        self.number = number
        self.body = b"%06d" % number + b"x" * 20000
        self.headers = {"host": "example.org", "x-request-id": str(number)}


def later(callback):
    PENDING.append(callback)


def handle(request):
    def notify():
        return "done with %d" % request.number
    later(notify)


def main():
    for number in range(400):
        handle(Request(number))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
