# SPDX-License-Identifier: MIT
# necropy: a consumer that remembers every message it has handled, in a set.
"""Deduplication by a module set of strings: 60 000 of them."""
# expect: {"rule": "growing-container", "type": "^str$", "path": "^__main__\\.SEEN", "count": 60000}
import hashlib

SEEN = set()


def handle(message):
    digest = hashlib.sha1(message).hexdigest()
    if digest in SEEN:
        return False
    SEEN.add(digest)
    return True


def main():
    for number in range(60000):
        handle(b"order %d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
