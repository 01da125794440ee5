# SPDX-License-Identifier: MIT
# necropy: a defaultdict of lists: few keys, many entries.
import service

SOURCE = '''
import collections

events = collections.defaultdict(list)

def happened(kind, number):
    events[kind].append((kind, number, "event %d" % number))
'''


def main():
    service.start()
    stats = service.module("shop.stats", SOURCE)
    for number in range(service.count(30000)):
        stats.happened("kind-%d" % (number % 40), number)
    service.rest()


if __name__ == "__main__":
    main()
