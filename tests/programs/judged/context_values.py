# SPDX-License-Identifier: MIT
# necropy: a context variable that carries a growing list.
"""The trace of a request is put into a ContextVar; the worker never leaves its context."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Span$", "path": "\\.context\\['trace'\\]", "count": 9000}
import contextvars

TRACE = contextvars.ContextVar("trace")


class Span:
    def __init__(self, name):
        self.name = name
        self.tags = {"component": "db", "name": name}


def span(name):
    TRACE.get().append(Span(name))


def main():
    TRACE.set([])
    for number in range(9000):
        span("query %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
