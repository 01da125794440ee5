# SPDX-License-Identifier: MIT
# necropy: a logging MemoryHandler that is never flushed.
"""logging.handlers.MemoryHandler with a huge capacity and no target."""
# expect: {"rule": "logging-buffer", "type": "^logging\\.LogRecord$", "path": "\\.buffer$", "count": 5000}
import logging
import logging.handlers

LOG = logging.getLogger("shop")


def main():
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    LOG.addHandler(logging.handlers.MemoryHandler(10 ** 9, flushLevel=100))
    for number in range(5000):
        LOG.info("order %d paid by %s", number, "customer %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
