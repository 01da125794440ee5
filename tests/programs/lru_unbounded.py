# SPDX-License-Identifier: MIT
# necropy: a cache without a bound.
"""functools.lru_cache(maxsize=None) on a function of a user's input."""
import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402

COUNT = 20000


class Profile:
    def __init__(self, user):
        self.user = user
        self.rights = ["read", user]


@functools.lru_cache(maxsize=None)
def load_profile(user):
    return Profile(user)


def main():
    for number in range(COUNT):
        load_profile("user-%d" % number)
    oracle.hold()


if __name__ == "__main__":
    main()
