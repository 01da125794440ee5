# SPDX-License-Identifier: MIT
# necropy: a module list of 500 responses, a small part of the heap.
"""The debug list of a client library keeps the last responses, all of them; beside it a healthy table of routes."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Response$", "path": "^__main__\\.RESPONSES", "count": 500}
RESPONSES = []
ROUTES = {}


class Response:
    def __init__(self, status, body):
        self.status = status
        self.body = body
        self.headers = {"content-type": "application/json", "content-length": str(len(body))}


def call(number):
    response = Response(200, '{"id": %d, "name": "%s"}' % (number, "n" * (number % 50)))
    RESPONSES.append(response)
    return response.status


def main():
    for number in range(300):
        ROUTES["/v1/thing/%d" % number] = (number, "GET")
    for number in range(500):
        call(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
