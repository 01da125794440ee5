# SPDX-License-Identifier: MIT
# necropy: healthy: a bounded lru_cache, full, and a table loaded once.
"""Nothing leaks."""
# expect: {"healthy": true}
import functools


@functools.lru_cache(maxsize=2048)
def render(number):
    return "<p>%d</p>" % number * 4


def main():
    for number in range(10000):
        render(number)
        render(number // 2)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
