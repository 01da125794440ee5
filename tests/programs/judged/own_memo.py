# SPDX-License-Identifier: MIT
# necropy: a memoize decorator of one's own: a dict in a closure.
"""Every answer is kept by the arguments, forever, in the cell of the wrapper."""
# expect: {"rule": "unbounded-cache", "type": "^(str|tuple)$", "path": "^__main__\\.quote\\.__closure__", "count": 15000}
import functools


def memoize(function):
    memo = {}

    @functools.wraps(function)
    def wrapper(*arguments):
        if arguments not in memo:
            memo[arguments] = function(*arguments)
        return memo[arguments]
    return wrapper


@memoize
def quote(symbol, day):
    return "%s closed at %.2f on day %d" % (symbol, day * 1.25, day)


def main():
    for day in range(1500):
        for symbol in ("AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ"):
            quote(symbol, day)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
