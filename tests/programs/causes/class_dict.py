# SPDX-License-Identifier: MIT
# necropy: a dict on a class that keeps every row that was ever loaded.
import service

SOURCE = '''
class Row:
    def __init__(self, key):
        self.key = key
        self.data = ["payload of %s" % key]

class Repo:
    _by_id = {}

    @classmethod
    def load(cls, key):
        return cls._by_id.setdefault(key, Row(key))
'''


def main():
    service.start()
    models = service.module("shop.models", SOURCE)
    for number in range(service.count(5000)):
        models.Repo.load("k%d" % number)
    service.rest()


if __name__ == "__main__":
    main()
