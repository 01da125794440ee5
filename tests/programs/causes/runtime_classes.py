# SPDX-License-Identifier: MIT
# necropy: a namedtuple made for each request.
import service

SOURCE = '''
import collections

kinds = {}

def row_kind(number):
    kinds[number] = collections.namedtuple("ReportRow", "number name value")
'''


def main():
    service.start()
    factory = service.module("shop.factory", SOURCE)
    for number in range(service.count(1500)):
        factory.row_kind(number)
    service.rest()


if __name__ == "__main__":
    main()
