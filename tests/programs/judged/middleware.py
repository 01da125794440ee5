# SPDX-License-Identifier: MIT
# necropy: a middleware that appends to a list in its closure at each request.
"""WSGI: make_timing(app) keeps the environ of each request beside its duration."""
# expect: {"rule": "closure-capture|growing-container", "type": "^(tuple|dict)$", "path": "^__main__\\.application\\.__closure__", "count": 6000}
import time


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


def make_timing(app):
    timings = []

    def timed(environ, start_response):
        begin = time.perf_counter()
        try:
            return app(environ, start_response)
        finally:
            timings.append((environ, time.perf_counter() - begin))
    return timed


application = make_timing(application)


def main():
    for number in range(6000):
        application({"PATH_INFO": "/item/%d" % number, "REQUEST_METHOD": "GET", "QUERY_STRING": "q=%d" % number},
                    lambda status, headers: None)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
