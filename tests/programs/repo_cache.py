# SPDX-License-Identifier: MIT
# necropy: a repository whose class-level dict keeps every row.
"""30 000 rows in `shop.models.Repo._by_id`, a dict on a class."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "oracle"))
import oracle  # noqa: E402
from leak_bus import module  # noqa: E402

COUNT = 30000
SOURCE = '''
class Row:
    def __init__(self, key):
        self.key = key
        self.data = ["payload of %s" % key, len(key)]


class Repo:
    _by_id = {}

    @classmethod
    def load(cls, key):
        if key not in cls._by_id:
            cls._by_id[key] = Row(key)
        return cls._by_id[key]
'''


def main():
    module("shop", "").__path__ = []
    models = module("shop.models", SOURCE)
    for number in range(COUNT):
        models.Repo.load("k%d" % number)
    oracle.hold()


if __name__ == "__main__":
    main()
