# SPDX-License-Identifier: MIT
# necropy: models that register themselves in a dict of their class.
"""A class-level cache that all instances share and that nobody trims."""
# expect: {"rule": "growing-container", "type": "^__main__\\.Account$", "path": "^__main__\\.Account\\._instances", "count": 7000}


class Model:
    _instances = {}

    def __init__(self, key):
        self.key = key
        type(self)._instances[key] = self


class Account(Model):
    _instances = {}

    def __init__(self, key):
        super().__init__(key)
        self.owner = "owner of %d" % key
        self.balance = key * 1.5
        self.entries = []


def main():
    for number in range(7000):
        Account(number).entries.append(number + 0.25)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
