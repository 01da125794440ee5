# SPDX-License-Identifier: MIT
# necropy: a module for each plugin run, and none is ever dropped.
import service

SOURCE = '''
def run(rows):
    return [row for row in rows if row]

NAMES = ["column %d of {0}" % number for number in range(30)]
'''


def main():
    service.start()
    for number in range(service.count(600)):
        service.module("plugin_%d" % number, SOURCE.format(number))
    service.rest()


if __name__ == "__main__":
    main()
