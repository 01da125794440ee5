# SPDX-License-Identifier: MIT
# necropy: functools.lru_cache(maxsize=None) on a method.
"""The cache keeps every repository ever made alive, by `self` in its keys."""
# expect: {"rule": "unbounded-cache", "type": "^__main__\\.(Row|Repository)$", "path": "^__main__\\.Repository\\.find", "count": 5000}
import functools


class Row:
    def __init__(self, key):
        self.key = key
        self.columns = {"id": key, "name": "row %d" % key, "price": key / 7}


class Repository:
    def __init__(self, tenant):
        self.tenant = tenant

    @functools.lru_cache(maxsize=None)
    def find(self, key):
        return Row(key)


def main():
    for tenant in range(100):
        repository = Repository("tenant %d" % tenant)
        for key in range(50):
            repository.find(tenant * 1000 + key)
            repository.find(tenant * 1000 + key)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
